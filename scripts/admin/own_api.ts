// The admin routes on the store itself, for as long as a command runs: what the command line asks where no router does.
// It polls no jobs and calls no provider.
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Router from '@koa/router'
import Koa from 'koa'
import { pino } from 'pino'
import type { Config } from '../../src/config.ts'
import { Callers } from '../../src/flow/account/callers.ts'
import { Metrics } from '../../src/flow/metrics.ts'
import type { Services } from '../../src/flow/services.ts'
import { requireAdmin } from '../../src/http/auth.ts'
import { type ApiRouter, requestContext, type State } from '../../src/http/context.ts'
import { errors } from '../../src/http/errors.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { makeProviderFetch } from '../../src/protocols/transport.ts'
import { buildRegistry } from '../../src/registry.ts'
import { adminRoutes } from '../../src/routes/admin.ts'
import { connectStore } from '../../src/store/connect.ts'
import { startEmbeddedStore } from '../../src/store/embedded/start.ts'

export { DataFolderInUse } from '../../src/store/embedded/start.ts'

export interface OwnApi {
  url: string
  /** An admin key that holds for this one command. */
  key: string
  close(): Promise<void>
}

/** Throws DataFolderInUse where another process has the store. */
export async function serveAdminApi(config: Config): Promise<OwnApi> {
  const closing: (() => unknown)[] = []
  const close = async () => {
    for (const step of closing.reverse()) await step()
  }
  try {
    const uri = config.mongodb_uri ?? (await embedded(config, closing))
    const store = await connectStore(uri)
    closing.push(() => store.close())
    const log = pino({ level: 'silent' })
    const callers = new Callers(store, log)
    closing.push(() => callers.close())
    const key = randomBytes(32).toString('hex')
    callers.setAdminKey(key)
    const registry = await loadRegistry(config)
    const ledger = new Ledger(store)
    closing.push(() => ledger.flush())
    // The admin routes touch no storage and start no work.
    const parts: Partial<Services> = { config, log, store, ledger, callers, metrics: new Metrics() }
    const services = { ...parts, registry: () => registry, reload: () => loadRegistry(config) } as Services
    return { url: `http://127.0.0.1:${await serve(services, closing)}`, key, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function embedded(config: Config, closing: (() => unknown)[]): Promise<string> {
  const store = await startEmbeddedStore({ data_dir: config.data_dir, sync: config.store_sync })
  closing.push(() => store.close())
  return store.uri
}

const loadRegistry = (config: Config) =>
  buildRegistry({
    provider_dirs: config.provider_dirs,
    pricing_dirs: config.pricing_dirs,
    environment: config.environment,
    sandbox: config.sandbox,
    makeTools: (provider) => ({ fetch: makeProviderFetch({ provider }) }),
  })

async function serve(services: Services, closing: (() => unknown)[]): Promise<number> {
  const app = new Koa<State, object>()
  app.silent = true
  const router: ApiRouter = new Router()
  adminRoutes(router, services)
  app.use(requestContext(services.log, services.metrics))
  app.use(errors)
  app.use(requireAdmin(services.callers))
  app.use(router.routes())
  const server = createServer(app.callback())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}
