import { type RawBuilder, sql } from 'kysely'
import type { DialectName } from '../store/dialect.ts'

/** What each engine says about the tables as they are. Tables of others may be among them, where their name begins alike. */
type PerEngine<Row> = Readonly<Record<DialectName, RawBuilder<Row>>>

export interface ColumnName {
  readonly table: string
  readonly column: string
}

/** Generated ones too, which not every list of columns has. */
export const COLUMNS: PerEngine<ColumnName> = {
  sqlite: sql<ColumnName>`SELECT m.name AS "table", c.name AS "column" FROM sqlite_master m, pragma_table_xinfo(m.name) c
    WHERE m.type = 'table' AND m.name LIKE 'gatebook%'`,
  postgres: sql<ColumnName>`SELECT table_name AS "table", column_name AS "column" FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name LIKE 'gatebook%'`,
  mysql: sql<ColumnName>`SELECT table_name AS \`table\`, column_name AS \`column\` FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name LIKE 'gatebook%'`,
}

export const INDEXES: PerEngine<{ name: string }> = {
  sqlite: sql<{ name: string }>`SELECT name FROM sqlite_master WHERE type = 'index'`,
  postgres: sql<{ name: string }>`SELECT indexname AS name FROM pg_indexes
    WHERE schemaname = current_schema() AND tablename LIKE 'gatebook%'`,
  mysql: sql<{
    name: string
  }>`SELECT DISTINCT index_name AS name FROM information_schema.statistics WHERE table_schema = DATABASE()`,
}

export interface UniqueKey {
  readonly table: string
  /** In their order, separated by commas. */
  readonly columns: string
}

/** Primary keys and what else is unique. */
export const UNIQUES: PerEngine<UniqueKey> = {
  sqlite: sql<UniqueKey>`SELECT m.name AS "table", group_concat(c.name) AS columns
      FROM sqlite_master m, pragma_index_list(m.name) l, pragma_index_info(l.name) c
      WHERE m.type = 'table' AND m.name LIKE 'gatebook%' AND l."unique" = 1 AND l.partial = 0
      GROUP BY m.name, l.name
    UNION ALL SELECT m.name, c.name FROM sqlite_master m, pragma_table_xinfo(m.name) c
      WHERE m.type = 'table' AND m.name LIKE 'gatebook%' AND c.pk > 0 AND c.type = 'INTEGER'`,
  postgres: sql<UniqueKey>`SELECT t.relname AS "table", string_agg(a.attname, ',' ORDER BY k.place) AS columns
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number
    WHERE n.nspname = current_schema() AND t.relname LIKE 'gatebook%' AND i.indisunique AND i.indisvalid
      AND i.indpred IS NULL
    GROUP BY t.relname, i.indexrelid`,
  mysql: sql<UniqueKey>`SELECT table_name AS \`table\`, GROUP_CONCAT(column_name ORDER BY seq_in_index) AS columns
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name LIKE 'gatebook%' AND non_unique = 0
    GROUP BY table_name, index_name HAVING MIN(sub_part) IS NULL`,
}

/** Tables without transactions, and texts that are not compared byte by byte: only MySQL and MariaDB have such. */
export const WRONG_STORAGE: RawBuilder<{ what: string }> = sql<{
  what: string
}>`SELECT table_name AS what FROM information_schema.tables
    WHERE table_schema = DATABASE() AND table_name LIKE 'gatebook%' AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'
  UNION ALL SELECT CONCAT(c.table_name, '.', c.column_name) FROM information_schema.columns c
    JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
    WHERE c.table_schema = DATABASE() AND c.table_name LIKE 'gatebook%'
      AND t.table_type = 'BASE TABLE' AND c.collation_name IS NOT NULL AND c.collation_name NOT LIKE '%\\_bin'`
