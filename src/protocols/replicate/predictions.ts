// Work at Replicate: a prediction is created, looked at until it ends, canceled. Files go along as data: URLs or through
// Replicate's own store of files, which keeps them for a day.
import type Replicate from 'replicate'
import { z } from 'zod'
import { type Asset, type Call, type Json, type JsonObject, ProviderError } from '../../contract.ts'
import { addressOf } from '../address.ts'
import { readAnswer } from '../faults.ts'
import type { Look, Queue } from '../input-map/generator.ts'
import { verifyWebhook } from '../standard_webhooks.ts'
import { library, type ReplicateServer, replicateClient } from './client.ts'
import { predictionError, REPLICATE } from './errors.ts'

const Prediction = z.looseObject({
  id: z.string().min(1),
  status: z.string(),
  output: z.json().nullish(),
  error: z.unknown(),
  logs: z.string().nullish(),
  metrics: z.record(z.string(), z.json()).nullish(),
})
type Prediction = z.output<typeof Prediction>

const Ticket = z.object({ id: z.string() })
const StoredFile = z.looseObject({ urls: z.looseObject({ get: z.url() }) })

/** Replicate's own limit for data: URLs; larger files go through its store. https://replicate.com/docs/topics/predictions/input-files */
const DATA_URL_BYTES_MAX = 256 * 1024
/** Fast models are done within a second of being asked; from then on the router's own rhythm holds. */
const FIRST_LOOK_MS = 500

export function replicateQueue({
  webhook_secret,
  ...server
}: ReplicateServer & { webhook_secret?: string | undefined }): Queue {
  const client = replicateClient(server)

  async function look(call: Call, ask: (sdk: Replicate) => Promise<unknown>): Promise<Look> {
    return lookOf(readAnswer(Prediction, await client.run(call, ask), REPLICATE))
  }

  return {
    provider: REPLICATE,
    async submit(upstream, input, call) {
      const seen = await look(call, (sdk) =>
        sdk.predictions.create({ ...modelOf(upstream), input, ...webhookOf(call), signal: call.signal }),
      )
      return seen.state === 'pending' ? { ...seen, poll_after_ms: FIRST_LOOK_MS } : seen
    },
    look: (ticket, call) => look(call, (sdk) => sdk.predictions.get(Ticket.parse(ticket).id, { signal: call.signal })),
    async cancel(ticket, call) {
      await client.run(call, (sdk) => sdk.predictions.cancel(Ticket.parse(ticket).id, { signal: call.signal }))
    },
    async place(file: Asset, call: Call): Promise<string> {
      if (file.type === 'url') return file.url
      const { data, media_type, filename = 'file' } = file
      if (data.byteLength <= DATA_URL_BYTES_MAX) return addressOf(file)
      const blob = new File([new Uint8Array(data)], filename, { type: media_type })
      const stored = await client.run(call, (sdk) => sdk.files.create(blob, {}, { signal: call.signal }))
      return readAnswer(StoredFile, stored, REPLICATE).urls.get
    },
    ...(webhook_secret !== undefined && {
      webhook: async (delivery) => verifyWebhook([webhook_secret], delivery),
    }),
  }
}

/** `owner/name` is run as its owner has it today, `owner/name:version` as it was. */
function modelOf(upstream: string): { model: string } | { version: string } {
  const [model = upstream, version] = upstream.split(':')
  return version === undefined ? { model } : { version }
}

const webhookOf = ({ webhook_url }: Call) =>
  webhook_url === undefined ? {} : { webhook: webhook_url, webhook_events_filter: ['completed' as const] }

function lookOf(prediction: Prediction): Look {
  const { id, status, output, error, metrics } = prediction
  switch (status) {
    case 'starting':
    case 'queued':
    case 'processing':
      return { state: 'pending', ticket: { id }, percent: percentOf(prediction) }
    case 'succeeded':
      return { state: 'done', answer: { output: output as Json, metrics: (metrics ?? {}) as JsonObject } }
    case 'failed':
      return { state: 'failed', error: predictionError(error) }
    // `aborted` ended before it began, `canceled` while it ran. Our own cancels are decided before they are seen here.
    case 'canceled':
    case 'aborted':
      return {
        state: 'failed',
        error: new ProviderError('unavailable', `${REPLICATE} ended the work before it was done.`),
      }
    default:
      throw new ProviderError('bad_response', `${REPLICATE} told a state of the work that we do not know.`)
  }
}

/** From the bars that tqdm draws into the logs, where a model shows them. */
function percentOf({ logs }: Prediction): number | undefined {
  const progress = logs ? library().parseProgressFromLogs(logs) : null
  return progress ? Math.round(progress.percentage * 100) : undefined
}
