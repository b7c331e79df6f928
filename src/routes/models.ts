// GET /v1/models: what the caller's key may call, in OpenAI's shape, with ours beside it.
import { getModel, listModels } from '../flow/models.ts'
import type { Services } from '../flow/services.ts'
import type { ApiRouter } from '../http/context.ts'

export function modelRoutes(router: ApiRouter, services: Services): void {
  router.get('/v1/models', async (context) => {
    // Query parameters of other vendors' list calls (limit, after_id) mean nothing here: the list is always whole.
    context.body = { object: 'list', data: listModels(services.registry(), context.state.caller) }
  })
  // Names of models have a slash, which arrives plain or as %2F.
  router.get('/v1/models/*id', async (context) => {
    context.body = getModel(services.registry(), context.state.caller, String(context.params.id))
  })
}
