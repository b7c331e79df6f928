// The other paths by which Google's clients reach /v1beta/models: each is led there before anything else looks at it, so
// that keys, errors and the log are the same. It reads no body and refuses nothing.
import type { Middleware } from './context.ts'

/** Google's own SDK asks at /v1 unless it is told a version (@google/genai 3.1.0, 2026-11); no other client posts there. */
const CALL_AT_V1 = /^\/v1\/models\/.+:\w+$/
/** Vercel's and LangChain's leave `models/` out before a name that has a slash (@ai-sdk/google 4.0.121, 2026-11). */
const CALL_WITHOUT_MODELS = /^\/v1beta\/(?!models\/|tunedModels\/)([^/]+\/.+:\w+)$/

export const googlePaths: Middleware = (context, next) => {
  const { path, method } = context
  if (method === 'POST') {
    if (CALL_AT_V1.test(path)) context.path = path.replace('/v1/', '/v1beta/')
    else context.path = path.replace(CALL_WITHOUT_MODELS, '/v1beta/models/$1')
  } else if (/^\/v1\/models(\/|$)/.test(path) && context.get('x-goog-api-client') !== '') {
    context.path = path.replace('/v1/', '/v1beta/')
  }
  return next()
}
