// The admin API for the command line: of the router that runs, or, where none does, of these same routes on the store
// itself. Either way one and the same code does the work.
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import Router from '@koa/router'
import Koa from 'koa'
import { pino } from 'pino'
import { type Config, ConfigError } from '../../src/config.ts'
import { Callers } from '../../src/flow/callers.ts'
import { FIRST_RUN_FILE, readFirstRun } from '../../src/flow/first_run.ts'
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
import { DataFolderInUse, startEmbeddedStore } from '../../src/store/embedded/start.ts'

/** What went wrong, in words for whoever typed the command. */
export class CommandError extends Error {
  override name = 'CommandError'
}

export type Json = Record<string, unknown>

export interface AdminApi {
  /** `path` begins with /api/v1. Throws CommandError with the API's own message. */
  call(method: string, path: string, body?: Json, headers?: Record<string, string>): Promise<Json>
  close(): Promise<void>
}

const LOOK_MS = 3000

export async function openAdminApi(config: Config): Promise<AdminApi> {
  const known = await readFirstRun(join(config.data_dir, FIRST_RUN_FILE))
  const url = known?.base_url.replace(/\/v1$/, '') ?? `http://${config.host}:${config.port}`
  if (!(await answers(url))) return ownApi(config, url)
  const key = config.admin_key ?? known?.admin_key
  if (!key) throw new CommandError(`A router runs at ${url}, but its admin key is not known here: set ADMIN_KEY.`)
  return { call: caller(url, key), close: async () => undefined }
}

/** Any answer in our form will do: a router that is starting or stopping owns the store as well. */
async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(LOOK_MS) })
    return response.headers.get('x-request-id')?.startsWith('req_') === true
  } catch {
    return false
  }
}

/** The admin routes alone, on the store itself, for as long as the command runs. */
async function ownApi(config: Config, url: string): Promise<AdminApi> {
  const closing: (() => unknown)[] = []
  const close = async () => {
    for (const step of closing.reverse()) await step()
  }
  try {
    const uri = config.mongodb_uri ?? (await embedded(config, url, closing))
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
    const port = await serve(services, closing)
    return { call: caller(`http://127.0.0.1:${port}`, key), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function embedded(config: Config, url: string, closing: (() => unknown)[]): Promise<string> {
  try {
    const store = await startEmbeddedStore({ data_dir: config.data_dir, sync: config.store_sync })
    closing.push(() => store.close())
    return store.uri
  } catch (error) {
    if (!(error instanceof DataFolderInUse)) throw error
    throw new CommandError(`${error.message}\nNo router answers at ${url}: it may be starting, or PORT may be another.`)
  }
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

function caller(url: string, key: string): AdminApi['call'] {
  return async (method, path, body, headers = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const answer = (await response.json().catch(() => ({}))) as Json & { error?: { message?: string } }
    if (response.ok) return answer
    if (response.status === 401) throw new CommandError(`The router at ${url} refuses the admin key: set ADMIN_KEY.`)
    throw new CommandError(answer.error?.message ?? `The router answered with status ${response.status}.`)
  }
}

/** What the operator reads of an error, without a stack where the words are ours. */
export function wordsFor(error: unknown): string {
  if (error instanceof CommandError) return error.message
  if (error instanceof ConfigError) return `The configuration cannot be used:\n${error.message}`
  return error instanceof Error ? error.message : String(error)
}
