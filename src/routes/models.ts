// GET /v1/models: what the caller's key may call, in the shape of the vendor whose client asks, with ours beside it.
import { getModel, listModels, type ModelView } from '../flow/models.ts'
import type { Services } from '../flow/services.ts'
import type { ApiRouter, Context } from '../http/context.ts'

export function modelRoutes(router: ApiRouter, services: Services): void {
  router.get('/v1/models', async (context) => {
    // Query parameters of other vendors' list calls (limit, after_id) mean nothing here: the list is always whole.
    const models = listModels(services.registry(), context.state.caller)
    context.body = asksAnthropic(context) ? anthropicList(models) : { object: 'list', data: models }
  })
  // Names of models have a slash, which arrives plain or as %2F.
  router.get('/v1/models/*id', async (context) => {
    const model = getModel(services.registry(), context.state.caller, String(context.params.id))
    context.body = asksAnthropic(context) ? anthropicModel(model) : model
  })
}

/** Errors and lists have one shape for one client: the request context knows whose it is. */
const asksAnthropic = (context: Context): boolean => context.state.request.error_format === 'anthropic'

function anthropicList(models: ModelView[]) {
  const data = models.map(anthropicModel)
  return { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }
}

function anthropicModel({ object: _, ...model }: ModelView) {
  const { context = null, max_output_tokens = null } = model.limits
  return {
    ...model,
    type: 'model',
    display_name: model.id,
    created_at: new Date(model.created * 1000).toISOString(),
    max_input_tokens: context,
    max_tokens: max_output_tokens,
  }
}
