// What machines ask of a router: is it alive, does it take requests, how much has it done. No secret, no name, no key.
import { Failure } from '../flow/failure.ts'
import type { Services } from '../flow/services.ts'
import { requireAdmin } from '../http/auth.ts'
import type { ApiRouter } from '../http/context.ts'

/** `isReady`: providers and prices are loaded, first-run.json is written, recovery has begun, and nothing is stopping. */
export function healthRoutes(
  router: ApiRouter,
  { callers, metrics }: Pick<Services, 'callers' | 'metrics'>,
  isReady: () => boolean,
): void {
  // Claude Code opens its connection with this before it sends anything.
  router.head('/', async (context) => {
    context.status = 200
  })
  router.get('/healthz', async (context) => {
    context.body = { status: 'ok' }
  })
  router.get('/readyz', async (context) => {
    if (!isReady()) throw new Failure(503, 'not_ready', 'The router is starting or stopping.', { retry_after_ms: 1000 })
    context.body = { status: 'ready' }
  })
  router.get('/metrics', requireAdmin(callers), async (context) => {
    context.type = 'text/plain; version=0.0.4; charset=utf-8'
    context.body = metrics.text()
  })
}
