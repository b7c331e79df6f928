// The routes of accounts, admins and models on a real port, with a real store and registry but without the rest.
import { join } from 'node:path'
import Router from '@koa/router'
import { Metrics } from '../../src/flow/metrics.ts'
import type { Services } from '../../src/flow/services.ts'
import { requireAdmin, requireCaller } from '../../src/http/auth.ts'
import type { ApiRouter, Middleware } from '../../src/http/context.ts'
import { unknownRoute } from '../../src/http/unknown_route.ts'
import { makeProviderFetch } from '../../src/protocols/transport.ts'
import { buildRegistry } from '../../src/registry.ts'
import { accountRoutes } from '../../src/routes/account.ts'
import { adminRoutes } from '../../src/routes/admin.ts'
import { healthRoutes } from '../../src/routes/health.ts'
import { modelRoutes } from '../../src/routes/models.ts'
import { adminStatementRoutes, statementRoutes } from '../../src/routes/statements.ts'
import { adminUsageRoutes, usageRoutes } from '../../src/routes/usage.ts'
import { ADMIN_KEY, accountParts } from './accounts.ts'
import { quiet, serve } from './serve.ts'

const HOME = join(import.meta.dirname, '../..')

/** `pricing_dirs` are read again on a reload. */
export async function testApi(pricing_dirs: string[] = []) {
  const parts = await accountParts()
  const load = (revision: number) =>
    buildRegistry({
      provider_dirs: [join(HOME, 'providers')],
      pricing_dirs: [join(HOME, 'pricing'), ...pricing_dirs],
      environment: {},
      sandbox: true,
      revision,
      makeTools: (provider) => ({ fetch: makeProviderFetch({ provider }) }),
    })
  let registry = await load(1)
  let ready = true
  // What these routes never touch (storage, workers) is not there.
  const services = {
    ...parts,
    log: quiet,
    metrics: new Metrics(),
    registry: () => registry,
    reload: async () => {
      registry = await load(registry.revision + 1)
      return registry
    },
  } as unknown as Services
  const [open, admin, caller]: ApiRouter[] = [new Router(), new Router(), new Router()] as ApiRouter[]
  if (!open || !admin || !caller) throw new Error('There are three routers.')
  healthRoutes(open, services, () => ready)
  adminRoutes(admin, services)
  adminUsageRoutes(admin, services)
  adminStatementRoutes(admin, services)
  accountRoutes(caller, services)
  usageRoutes(caller, services)
  statementRoutes(caller, services)
  modelRoutes(caller, services)
  const routes =
    (router: ApiRouter): Middleware =>
    (context, next) =>
      router.routes()(context as never, next) as Promise<void>
  const under =
    (prefix: string, guard: Middleware): Middleware =>
    (context, next) =>
      context.path.startsWith(prefix) ? guard(context, next) : next()
  const served = await serve(
    routes(open),
    under('/api/v1/', requireAdmin(parts.callers)),
    routes(admin),
    under('/v1/', requireCaller(parts.callers)),
    routes(caller),
    unknownRoute([open, admin, caller]),
  )
  return {
    ...parts,
    ...served,
    setReady: (is: boolean) => {
      ready = is
    },
    async close() {
      await served.close()
      await parts.close()
    },
  }
}
export type TestApi = Awaited<ReturnType<typeof testApi>>

export interface Answer<Body = Record<string, never>> {
  status: number
  headers: Headers
  body: Body
  text: string
}

/** One call with the admin key, or with another. The body's type is what the test says it is. */
export async function call<Body = Record<string, never>>(
  { url }: { url: string },
  method: string,
  path: string,
  body?: unknown,
  { key = ADMIN_KEY, headers = {} }: { key?: string; headers?: Record<string, string> } = {},
): Promise<Answer<Body>> {
  const response = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: (text.startsWith('{') ? JSON.parse(text) : {}) as Body,
    text,
  }
}
