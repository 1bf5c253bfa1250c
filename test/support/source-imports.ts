import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative } from 'node:path'
import ts from 'typescript'

export interface SourceImport {
  /** Path of the importing file from the folder that was asked for, with `/`. */
  readonly file: string
  readonly line: number
  /** As written. */
  readonly specifier: string
  /** For a relative specifier, the path from the folder that was asked for; null for a package or a `node:` module. */
  readonly target: string | null
  /** Gone after compilation: `import type`, or every name in the braces is a type. */
  readonly typeOnly: boolean
  /** `import()`, `require()` or `process.getBuiltinModule()`: loaded when it is reached. */
  readonly lazy: boolean
}

export function listSourceFiles(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|tsx|mts|cts|mjs)$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((file) => !file.split('/').some((part) => part === 'node_modules' || part === '.next'))
    .sort()
}

export function readImports(root: string): SourceImport[] {
  return listSourceFiles(root).flatMap((file) => parseImports(file, readFileSync(join(root, file), 'utf8')))
}

export function parseImports(file: string, text: string): SourceImport[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true)
  const found: SourceImport[] = []
  const add = (node: ts.Node, name: ts.Node | undefined, typeOnly: boolean, lazy: boolean): void => {
    if (!name || !ts.isStringLiteralLike(name)) return
    const specifier = name.text
    const target = specifier.startsWith('.') ? posix.normalize(posix.join(posix.dirname(file), specifier)) : null
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1
    found.push({ file, line, specifier, target, typeOnly, lazy })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, isTypeOnlyImport(node), false)
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, isTypeOnlyExport(node), false)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node, node.argument.literal, true, false)
    else if (ts.isCallExpression(node) && isLoadingCall(node.expression)) add(node, node.arguments[0], false, true)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function isTypeOnlyImport({ importClause }: ts.ImportDeclaration): boolean {
  if (!importClause) return false
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const { name, namedBindings } = importClause
  if (name || !namedBindings || !ts.isNamedImports(namedBindings)) return false
  return namedBindings.elements.length > 0 && namedBindings.elements.every((element) => element.isTypeOnly)
}

function isTypeOnlyExport({ isTypeOnly, exportClause }: ts.ExportDeclaration): boolean {
  if (isTypeOnly) return true
  if (!exportClause || !ts.isNamedExports(exportClause)) return false
  return exportClause.elements.length > 0 && exportClause.elements.every((element) => element.isTypeOnly)
}

function isLoadingCall(called: ts.Expression): boolean {
  if (called.kind === ts.SyntaxKind.ImportKeyword) return true
  if (ts.isIdentifier(called)) return called.text === 'require'
  return ts.isPropertyAccessExpression(called) && called.name.text === 'getBuiltinModule'
}

/** The package of a specifier that is not relative: `mysql2` of `mysql2/promise`. */
export function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
