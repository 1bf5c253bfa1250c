import { z } from 'zod'
import { GatebookError } from '../../errors.ts'
import { asAdmin } from '../as-admin.ts'
import { auditRunSchema, integritySchema, startedAuditSchema, toWireAuditRun, toWireIntegrity } from '../integrity.ts'
import { createLogArchive } from '../log-archive.ts'
import type { RouteSettings } from '../paths.ts'
import { defineRoute, type Route } from '../route.ts'
import { logFileSchema } from '../schema.ts'

const ARCHIVES_MOST = 2
const RETRY_SECONDS = 30

export function adminIntegrityRoutes(prefix: string, { clock }: Pick<RouteSettings, 'clock'>): readonly Route[] {
  let archives = 0
  const current = `${prefix}/api/audits/current`
  return [
    defineRoute({
      name: 'getIntegrity',
      method: 'GET',
      path: `${prefix}/api/integrity`,
      summary:
        'What is known of the record: what is signed, published and anchored, what stops it, and the last audit.',
      auth: 'admin',
      responses: { 200: integritySchema },
      async handle({ gate }) {
        return { status: 200, body: toWireIntegrity(await gate.log.integrity()) }
      },
    }),
    defineRoute({
      name: 'exportLog',
      method: 'GET',
      path: `${prefix}/api/integrity/export`,
      summary:
        'The whole log with its proofs, to be verified elsewhere: the folder of `gatebook log export` as a tar archive. Leaves log.exported.',
      auth: 'admin',
      responses: { 200: logFileSchema },
      types: ['application/x-tar'],
      errors: ['ERR_LOG_UNPUBLISHED', 'ERR_LOG_TAMPERED', 'ERR_STREAMS_EXHAUSTED'],
      async handle({ gate, claims, context }) {
        // What is wrong before it begins is an answer, and no archive.
        if ((await gate.log.checkpoint()).published === null) throw new GatebookError('ERR_LOG_UNPUBLISHED')
        if (archives >= ARCHIVES_MOST) {
          throw new GatebookError('ERR_STREAMS_EXHAUSTED', { retryAfterSeconds: RETRY_SECONDS })
        }
        archives += 1
        const onEnd = () => {
          archives -= 1
        }
        return {
          status: 200,
          stream: createLogArchive(gate.log, { context: asAdmin(context, claims), clock, onEnd }),
          headers: {
            'Content-Type': 'application/x-tar',
            'Content-Disposition': 'attachment; filename="gatebook-log.tar"',
          },
        }
      },
    }),
    defineRoute({
      name: 'startAudit',
      method: 'POST',
      path: `${prefix}/api/audits`,
      summary: 'Begins to re-read the whole log in this process, one audit at a time. Leaves log.audited at its end.',
      auth: 'admin',
      body: z.strictObject({ reconcile: z.exactOptional(z.boolean()) }),
      bodyOptional: true,
      responses: { 202: startedAuditSchema },
      errors: ['ERR_AUDIT_RUNNING'],
      async handle({ gate, claims, body, context }) {
        const { id } = await gate.audits.start(body ?? {}, asAdmin(context, claims))
        return { status: 202, body: { audit_id: id }, headers: { Location: current } }
      },
    }),
    defineRoute({
      name: 'getAudit',
      method: 'GET',
      path: current,
      summary: 'The audit that runs in this process, or the last one that ran.',
      auth: 'admin',
      responses: { 200: auditRunSchema },
      errors: ['ERR_AUDIT_NOT_FOUND'],
      async handle({ gate }) {
        const run = gate.audits.current()
        if (run === null) throw new GatebookError('ERR_AUDIT_NOT_FOUND')
        return { status: 200, body: toWireAuditRun(run) }
      },
    }),
    defineRoute({
      name: 'cancelAudit',
      method: 'DELETE',
      path: current,
      summary: 'Breaks off the audit that runs in this process. Idempotent.',
      auth: 'admin',
      responses: { 204: null },
      async handle({ gate }) {
        await gate.audits.cancel()
        return { status: 204 }
      },
    }),
  ]
}
