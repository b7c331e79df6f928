// POST /v1/embeddings: vectors of texts, as floats or base64, or as a job.
import { runGeneration } from '../flow/media/generate.ts'
import { outputText } from '../flow/media/output_text.ts'
import type { Services } from '../flow/services.ts'
import { submitGeneration } from '../flow/worker/submit.ts'
import { clientSignal } from '../http/abort.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter, Context } from '../http/context.ts'
import { shortUsd } from '../ledger/money.ts'
import { readEmbeddingRequest } from '../protocols/openai-media/text_request.ts'
import { accepted, nameJob, prefersAsync, sendText, tellCost } from './answer.ts'
import { takeExtensions } from './extensions.ts'

export function embeddingRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/embeddings', (context) => embed(services, context))
}

async function embed(services: Services, context: Context): Promise<void> {
  const { value } = await readJson(context.req, services.config.body_bytes_max)
  const { body, extensions } = takeExtensions(value)
  const request = readEmbeddingRequest(body)
  const {
    caller,
    request: { id: request_id },
  } = context.state
  const echo = { encoding_format: request.encoding_format }
  const submission = { ...extensions, endpoint: 'embeddings', request_id, echo }
  if (prefersAsync(context)) {
    return accepted(context, await submitGeneration(services, caller, 'embedding', request, submission))
  }
  const { work, cost, usage, output } = await runGeneration(services, caller, {
    ...submission,
    operation: 'embedding',
    request,
    gone: clientSignal(context),
    keep_files: false,
    opened: (job) => nameJob(context, job),
  })
  tellCost(context, work.job, cost)
  sendText(context, outputText('embedding', { output, usage, job: work.job, cost_usd: shortUsd(cost) }))
}
