// The application: its middlewares and routes in order, as a table of contents.
import Router from '@koa/router'
import Koa from 'koa'
import type { Services } from './flow/services.ts'
import { requireAdmin, requireCaller } from './http/auth.ts'
import { type ApiRouter, type Middleware, requestContext, type State } from './http/context.ts'
import { errors } from './http/errors.ts'
import { googlePaths } from './http/google_paths.ts'
import { saneHost } from './http/host.ts'
import { idempotent } from './http/idempotency.ts'
import { unknownRoute } from './http/unknown_route.ts'
import { accountRoutes } from './routes/account.ts'
import { adminRoutes } from './routes/admin.ts'
import { audioRoutes } from './routes/audio.ts'
import { chatRoutes } from './routes/chat.ts'
import { docsRoutes } from './routes/docs.ts'
import { embeddingRoutes } from './routes/embeddings.ts'
import { estimateRoutes } from './routes/estimate.ts'
import { geminiRoutes } from './routes/gemini.ts'
import { healthRoutes } from './routes/health.ts'
import { hookRoutes } from './routes/hooks.ts'
import { imageThreadRoutes } from './routes/image_threads.ts'
import { imageRoutes } from './routes/images.ts'
import { jobRoutes } from './routes/jobs.ts'
import { messageRoutes } from './routes/messages.ts'
import { modelRoutes } from './routes/models.ts'
import { moderationRoutes } from './routes/moderations.ts'
import { responseRoutes } from './routes/responses.ts'
import { signedOutputRoutes } from './routes/signed_outputs.ts'
import { adminStatementRoutes, statementRoutes } from './routes/statements.ts'
import { adminUsageRoutes, usageRoutes } from './routes/usage.ts'
import { videoRoutes } from './routes/videos.ts'
import { webhookRoutes } from './routes/webhooks.ts'

/** Every route, by whose key it asks for. */
export function makeRouters(services: Services, isReady: () => boolean) {
  const forAll: ApiRouter = new Router()
  healthRoutes(forAll, services, isReady)
  docsRoutes(forAll)
  hookRoutes(forAll, services)

  const forCallers: ApiRouter = new Router()
  chatRoutes(forCallers, services)
  responseRoutes(forCallers, services)
  messageRoutes(forCallers, services)
  geminiRoutes(forCallers, services)
  embeddingRoutes(forCallers, services)
  moderationRoutes(forCallers, services)
  imageRoutes(forCallers, services)
  imageThreadRoutes(forCallers, services)
  videoRoutes(forCallers, services)
  audioRoutes(forCallers, services)
  modelRoutes(forCallers, services)
  jobRoutes(forCallers, services)
  webhookRoutes(forCallers, services)
  estimateRoutes(forCallers, services)
  accountRoutes(forCallers, services)
  usageRoutes(forCallers, services)
  statementRoutes(forCallers, services)

  const forAdmins: ApiRouter = new Router()
  adminRoutes(forAdmins, services)
  adminUsageRoutes(forAdmins, services)
  adminStatementRoutes(forAdmins, services)

  const forHolders: ApiRouter = new Router()
  signedOutputRoutes(forHolders, services)

  return { forAll, forHolders, forCallers, forAdmins }
}

export function makeApp(services: Services, isReady: () => boolean): Koa<State, object> {
  const { callers, metrics, idempotency, config } = services
  const app = new Koa<State, object>()
  app.proxy = services.config.trust_proxy
  // Of x-forwarded-for only what the proxy itself added: whatever stands before it a caller may have written.
  app.maxIpsCount = 1
  // `errors` answers and logs everything; what Koa would print besides is a connection that broke off.
  app.silent = true

  const { forAll, forHolders, forCallers, forAdmins } = makeRouters(services, isReady)
  app.use(googlePaths)
  app.use(requestContext(services.log, metrics))
  app.use(errors)
  app.use(saneHost)
  app.use(under('/v1/jobs', anyone, forHolders))
  const caller = inOrder(requireCaller(callers), idempotent(idempotency, config.body_bytes_max))
  app.use(under('/v1', caller, forCallers))
  app.use(under('/v1beta', caller, forCallers))
  app.use(under('/api/v1', requireAdmin(callers), forAdmins))
  app.use(forAll.routes())
  app.use(unknownRoute([forAll, forAdmins, forCallers]))
  return app
}

/** A signed address is as good as a key, for the one file that it names. */
const anyone: Middleware = async (_context, next) => {
  await next()
}

const inOrder =
  (first: Middleware, second: Middleware): Middleware =>
  (context, next) =>
    first(context, () => second(context, next))

/**
 * A key is asked for before anything is told about a path, even that it does not exist. A router looks through all of its
 * routes for each request, so each is only asked about the paths that are its own.
 */
function under(prefix: string, guard: Middleware, router: ApiRouter): Middleware {
  const routes = router.routes() as Middleware
  return (context, next) =>
    context.path.toLowerCase().startsWith(`${prefix}/`) ? guard(context, async () => routes(context, next)) : next()
}
