// POST /hooks/{provider}/{job}/{mac}: providers tell that work has moved on. The address itself is what lets them in; a
// wrong one learns nothing, not even whether there is such a job.
import type { IncomingMessage } from 'node:http'
import type { Services } from '../flow/services.ts'
import { checkHook, HookDesk } from '../flow/worker/hooks.ts'
import { readBytes } from '../http/body_bytes.ts'
import type { ApiRouter } from '../http/context.ts'

/** The largest are predictions with their log. */
const BODY_BYTES_MAX = 2 ** 20

export function hookRoutes(router: ApiRouter, services: Services): void {
  const desk = new HookDesk(services)
  router.post('/hooks/:provider/:job/:mac', async (context) => {
    const { provider, job, mac } = context.params
    const hook = { provider: String(provider), job_id: String(job), mac: String(mac) }
    checkHook(services, hook)
    context.state.request.job_id = hook.job_id
    const chunks: Buffer[] = []
    await readBytes(context.req, { max_bytes: BODY_BYTES_MAX }, (chunk) => chunks.push(chunk))
    await desk.take(hook, { headers: headersOf(context.req), body: Buffer.concat(chunks) })
    context.body = { received: true }
  })
}

/** One text each, as the schemes of providers expect them. */
function headersOf({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')]))
}
