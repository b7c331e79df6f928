// Work in fal's queue: submitted, looked at, fetched, canceled. Its COMPLETED only says that it ended; whether it ended
// well is told by the result. https://docs.fal.ai/model-apis/model-endpoints/queue (2026-11-21)
import { z } from 'zod'
import type { Call, Json, JsonObject } from '../../contract.ts'
import type { Look, Queue } from '../input-map/generator.ts'
import { FAL, falRefusal, isVerdict } from './errors.ts'
import { placeFile } from './files.ts'
import { askFal, type FalServer, queueUrl, readFal } from './http.ts'
import { falWebhook } from './webhook.ts'

const Submitted = z.looseObject({ request_id: z.string().min(1) })
const Status = z.looseObject({
  status: z.enum(['IN_QUEUE', 'IN_PROGRESS', 'COMPLETED']),
  metrics: z.record(z.string(), z.json()).nullish(),
})
/** Whatever the model makes. */
const Result = z.custom<Json>((json) => json !== undefined)
const Ticket = z.object({ app: z.string(), id: z.string() })
type Ticket = z.output<typeof Ticket>

/** Fast models are done within a second of being asked; from then on the router's own rhythm holds. */
const FIRST_LOOK_MS = 500

export function falQueue(server: FalServer): Queue {
  const base = queueUrl(server)
  const address = ({ app, id }: Ticket) => `${base}/${app}/requests/${encodeURIComponent(id)}`

  async function result(ticket: Ticket, metrics: JsonObject, { signal }: Call): Promise<Look> {
    const answer = await askFal(server, 'GET', address(ticket), { signal })
    const { status, headers, text, is_ok } = answer
    if (is_ok) return { state: 'done', answer: { output: readFal(Result, answer), metrics } }
    const error = falRefusal(status, headers, text)
    if (isVerdict(status, headers, text)) return { state: 'failed', error }
    throw error
  }

  return {
    provider: FAL,
    async submit(upstream, input, call) {
      const { webhook_url, signal } = call
      const query = webhook_url === undefined ? '' : `?fal_webhook=${encodeURIComponent(webhook_url)}`
      const url = `${base}/${upstream.split('/').map(encodeURIComponent).join('/')}${query}`
      const { request_id } = readFal(Submitted, await askFal(server, 'POST', url, { body: input, signal }))
      return { state: 'pending', ticket: { app: appOf(upstream), id: request_id }, poll_after_ms: FIRST_LOOK_MS }
    },
    async look(kept, call) {
      const ticket = Ticket.parse(kept)
      const { signal } = call
      const seen = readFal(Status, await askFal(server, 'GET', `${address(ticket)}/status?logs=0`, { signal }))
      if (seen.status !== 'COMPLETED') return { state: 'pending', ticket: kept }
      return result(ticket, (seen.metrics ?? {}) as JsonObject, call)
    },
    async cancel(kept, { signal }) {
      const { status, headers, text, is_ok } = await askFal(server, 'PUT', `${address(Ticket.parse(kept))}/cancel`, {
        signal,
      })
      // 400: it has ended already; 404: it is forgotten.
      if (!is_ok && status !== 400 && status !== 404) throw falRefusal(status, headers, text)
    },
    place: (file, call) => placeFile(server, file, call),
    webhook: falWebhook(server),
  }
}

/** Requests are found under the first two parts of an endpoint's name, or three where the first is a kind of endpoint. */
function appOf(upstream: string): string {
  const parts = upstream.split('/')
  return parts.slice(0, parts[0] === 'workflows' || parts[0] === 'comfy' ? 3 : 2).join('/')
}
