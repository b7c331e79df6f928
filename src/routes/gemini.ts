// Google's format, for its SDK and Gemini CLI: /v1beta/models and, behind a model's name and a colon, what to do with it.
import type { JsonObject } from '../contract.ts'
import { countInputTokens } from '../flow/chat/count_tokens.ts'
import { Failure } from '../flow/failure.ts'
import { getModel, listModels, type ModelView } from '../flow/models.ts'
import type { Services } from '../flow/services.ts'
import { clientSignal } from '../http/abort.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter, Context, RouteContext } from '../http/context.ts'
import { JsonArraySink } from '../http/json_array.ts'
import { countedInput } from '../protocols/gemini/estimate.ts'
import { geminiFront } from '../protocols/gemini/front.ts'
import { readCountRequest, readGeminiRequest } from '../protocols/gemini/request.ts'
import { takeExtensions } from './extensions.ts'
import { serveChat } from './serve_chat.ts'

export function geminiRoutes(router: ApiRouter, services: Services): void {
  router.get('/v1beta/models', async (context) => {
    const models = listModels(services.registry(), context.state.caller).filter(canChat)
    // The list is always whole, so that there is no next page.
    context.body = { models: models.map(googleModel) }
  })
  router.get('/v1beta/models/*model', async (context) => {
    context.body = googleModel(getModel(services.registry(), context.state.caller, String(context.params.model)))
  })
  // Names of models have a slash, plain or as %2F, and may have a colon: what is asked for stands behind the last one.
  router.post('/v1beta/models/*call', async (context) => {
    const { model, method } = readCall(context)
    if (method === 'generateContent') return generate(services, context, model, false)
    if (method === 'streamGenerateContent') return generate(services, context, model, true)
    if (method === 'countTokens') return countTokens(services, context, model)
    throw new Failure(
      404,
      'unknown_route',
      `Nothing here does '${method.slice(0, 100)}' with a model. There are generateContent, streamGenerateContent and countTokens.`,
    )
  })
}

function readCall(context: RouteContext): { model: string; method: string } {
  const call = String(context.params.call)
  const colon = call.lastIndexOf(':')
  return { model: call.slice(0, Math.max(0, colon)), method: call.slice(colon + 1) }
}

async function generate(services: Services, context: Context, named: string, stream: boolean): Promise<void> {
  const { value } = await readJson(context.req, services.config.body_bytes_max)
  const { body: extended, extensions } = takeExtensions({ ...value, model: named, stream })
  const body = readGeminiRequest(extended)
  const events = (context.query.alt ?? context.query.$alt) === 'sse'
  await serveChat(services, context, {
    front: geminiFront,
    model: String(body.model),
    body,
    extensions,
    endpoint: stream ? 'streamGenerateContent' : 'generateContent',
    ...(!events && { sink: (where: Context) => new JsonArraySink(where) }),
  })
}

/** Counted by the provider if it speaks this format, else here. */
async function countTokens(services: Services, context: Context, model: string): Promise<void> {
  const { value } = await readJson(context.req, services.config.body_bytes_max)
  const body = readCountRequest(value, model)
  const { caller, request } = context.state
  const { tokens, source } = await countInputTokens(services, caller, {
    front: geminiFront,
    body,
    model,
    id: request.id,
    gone: clientSignal(context),
    countHere: (asked: JsonObject) => sum(countedInput(asked)),
  })
  context.set('x-token-count', source)
  context.body = { totalTokens: tokens, ...(source === 'counted' && { promptTokensDetails: countedInput(body) }) }
}

const sum = (details: { tokenCount: number }[]) => details.reduce((total, { tokenCount }) => total + tokenCount, 0)

const canChat = ({ operations }: ModelView): boolean => operations.includes('chat')

/** The fields that Google's clients read; limits stand where the price file has them. */
function googleModel(model: ModelView) {
  const { context, max_output_tokens } = model.limits
  return {
    name: `models/${model.id}`,
    version: model.id,
    displayName: model.id,
    ...(context !== undefined && { inputTokenLimit: context }),
    ...(max_output_tokens !== undefined && { outputTokenLimit: max_output_tokens }),
    supportedGenerationMethods: canChat(model) ? ['generateContent', 'streamGenerateContent', 'countTokens'] : [],
  }
}
