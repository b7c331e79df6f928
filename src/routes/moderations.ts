// POST /v1/moderations: whether a text or picture is acceptable, in the provider's own words.
import { runGeneration } from '../flow/media/generate.ts'
import { outputText } from '../flow/media/output_text.ts'
import type { Services } from '../flow/services.ts'
import { submitGeneration } from '../flow/worker/submit.ts'
import { clientSignal } from '../http/abort.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter, Context } from '../http/context.ts'
import { shortUsd } from '../ledger/money.ts'
import { readModerationRequest } from '../protocols/openai-media/text_request.ts'
import { accepted, nameJob, prefersAsync, sendText, tellCost } from './answer.ts'
import { takeExtensions } from './extensions.ts'

export function moderationRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/moderations', (context) => moderate(services, context))
}

async function moderate(services: Services, context: Context): Promise<void> {
  const { value } = await readJson(context.req, services.config.body_bytes_max)
  const { body, extensions } = takeExtensions(value)
  const request = readModerationRequest(body)
  const {
    caller,
    request: { id: request_id },
  } = context.state
  const submission = { ...extensions, endpoint: 'moderations', request_id }
  if (prefersAsync(context)) {
    return accepted(context, await submitGeneration(services, caller, 'moderation', request, submission))
  }
  const { work, cost, usage, output } = await runGeneration(services, caller, {
    ...submission,
    operation: 'moderation',
    request,
    gone: clientSignal(context),
    keep_files: false,
    opened: (job) => nameJob(context, job),
  })
  tellCost(context, work.job, cost)
  sendText(context, outputText('moderation', { output, usage, job: work.job, cost_usd: shortUsd(cost) }))
}
