// Starting a router: store, registry, flow, app, in the order in which each needs the one before. It reads no
// environment and prints nothing, so that tests start real routers too.
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import { makeApp } from './app.ts'
import type { Config } from './config.ts'
import { Callers } from './flow/account/callers.ts'
import { loadEncryptionKeys } from './flow/account/encryption_keys.ts'
import { type FirstRun, firstRun } from './flow/account/first_run.ts'
import { Secrets } from './flow/account/secrets.ts'
import { startLotKeeper } from './flow/credit/lot_keeper.ts'
import { startUsageDays } from './flow/credit/usage_days.ts'
import { Idempotency } from './flow/idempotency.ts'
import { newId } from './flow/ids.ts'
import { JobWrites } from './flow/job_writes.ts'
import { Metrics } from './flow/metrics.ts'
import type { Services } from './flow/services.ts'
import { announce } from './flow/webhooks/webhook_outbox.ts'
import { WebhookSender } from './flow/webhooks/webhook_sender.ts'
import { Works } from './flow/work.ts'
import { type Heartbeat, type HeartbeatTimings, startHeartbeat } from './flow/worker/heartbeat.ts'
import { Lanes } from './flow/worker/lanes.ts'
import { startRetention } from './flow/worker/retention.ts'
import { startWorker, type Worker } from './flow/worker/worker.ts'
import { Ledger } from './ledger/ledger.ts'
import { openStorage } from './media/store.ts'
import { makeProviderFetch } from './protocols/transport.ts'
import { buildRegistry, type Registry } from './registry.ts'
import { connectStore } from './store/connect.ts'
import { makeDataFolder, startEmbeddedStore } from './store/embedded/start.ts'

/** How long streams may go on after the order to stop. */
const DRAIN_MS = 25_000
/** How long work that was ended may take to say so to its caller and to the ledger. */
const LAST_WORDS_MS = 3000
/** How long the store is waited for when everything else has ended. */
const SILENCE_MS = 5000
const LOOK_MS = 20

export interface Router {
  /** http://host:port, as it listens. */
  url: string
  services: Services
  first_run: FirstRun
  /** Stops accepting, lets work end within `drain_ms`, hands the rest on, and gives everything back. */
  close(drain_ms?: number): Promise<void>
}

/** Throws what kept it from starting: RegistryFaults, DataFolderInUse, a driver's error, EADDRINUSE. */
export async function startRouter(
  config: Config,
  log: Logger,
  on_crash?: (error: Error) => void,
  timings: Partial<HeartbeatTimings> = {},
): Promise<Router> {
  makeDataFolder(config.data_dir)
  // Prices and adapters first: their faults should not cost a start of the store.
  let registry = await loadRegistry(config, 1)
  const embedded = config.mongodb_uri
    ? undefined
    : await startEmbeddedStore({ data_dir: config.data_dir, sync: config.store_sync, ...(on_crash && { on_crash }) })
  const closing: (() => Promise<unknown> | unknown)[] = [() => embedded?.close()]
  try {
    const store = await connectStore(config.mongodb_uri ?? embedded?.uri ?? '')
    closing.unshift(() => store.close())
    const callers = new Callers(store, log)
    closing.unshift(() => callers.close())
    if (config.mongodb_uri !== undefined && !config.encryption_keys)
      log.warn(
        'ENCRYPTION_KEYS is not set: only routers that share this DATA_DIR know its key. Set it to the same for all routers of one MongoDB.',
      )
    let worker: Worker | undefined
    let heartbeat: Heartbeat | undefined
    let sender: WebhookSender | undefined
    const services: Services = {
      config,
      log,
      store,
      ledger: new Ledger(store, async (decided) => {
        if (await announce(store, decided)) sender?.wake()
      }),
      job_writes: new JobWrites(store),
      works: new Works(),
      storage: await openStorage(config.storage_url, config.data_dir, config.s3_credentials),
      secrets: new Secrets(await loadEncryptionKeys(config)),
      registry: () => registry,
      reload: async () => {
        registry = await loadRegistry(config, registry.revision + 1)
        return registry
      },
      router_id: newId('rtr'),
      callers,
      idempotency: new Idempotency(() => services),
      metrics: new Metrics(),
      lanes: new Lanes({
        pollsPerSecond: (provider) => registry.pollsPerSecond(provider),
        routers: () => heartbeat?.routers() ?? 1,
      }),
      wake: (at, queue) => worker?.wake(at, queue),
      wakeWebhooks: () => sender?.wake(),
    }
    // The port is known before the app is whole: who comes in between waits for it.
    const app = Promise.withResolvers<RequestListener>()
    const server = createServer((request, response) => void app.promise.then((answer) => answer(request, response)))
    const url = await listen(server, config)
    closing.unshift(() => void server.close())
    const first_run = await firstRun(services, callers, url)
    heartbeat = await startHeartbeat(services, { alone: embedded !== undefined, ...timings })
    worker = startWorker(services, heartbeat)
    const retention = startRetention(services)
    const usage_days = startUsageDays(services)
    const lots = startLotKeeper(services)
    sender = new WebhookSender(services).start()
    let stopping = false
    const answer = makeApp(services, () => !stopping).callback()
    server.removeAllListeners('request').on('request', answer)
    // While it stops a connection carries no second call, or calls would keep coming until the time is over.
    server.prependListener('request', (request, response) => {
      if (stopping) response.shouldKeepAlive = false
      response.once('finish', () => {
        if (stopping) request.socket.end()
      })
    })
    app.resolve(answer)
    const close = async (drain_ms = DRAIN_MS) => {
      if (stopping) return
      stopping = true
      retention.stop()
      usage_days.stop()
      const idle = new Promise((resolve) => server.close(resolve))
      server.closeIdleConnections()
      const claimed = worker?.stop()
      await noneUnderWay(services.works, Date.now() + drain_ms)
      services.works.endAll()
      // A store that has gone silent (its folder removed, its disk full) must not keep the process: what it does not
      // learn now, recovery finds out.
      const last_words = async () => {
        await claimed
        await noneUnderWay(services.works, Date.now() + LAST_WORDS_MS)
        await services.ledger.flush()
        await services.idempotency.idle()
        await lots.stop()
        await sender?.stop()
        await heartbeat?.stop()
      }
      await inTime(log, last_words)
      server.closeAllConnections()
      await idle
      for (const step of closing) await inTime(log, step)
    }
    return { url, services, first_run, close }
  } catch (error) {
    for (const step of closing) await step()
    throw error
  }
}

/** Resolves when it is done, has failed or has taken too long: whoever stops goes on to the next thing. */
async function inTime(log: Logger, act: () => Promise<unknown> | unknown): Promise<void> {
  const waiting = new AbortController()
  const late = pause(SILENCE_MS, 'late', { signal: waiting.signal }).catch(() => undefined)
  try {
    const answer = await Promise.race([act(), late])
    if (answer === 'late')
      log.warn('The store does not answer while the router stops; what is left is recovered later.')
  } catch (error) {
    log.warn(
      { error },
      'Something could not be ended in order while the router stops; what is left is recovered later.',
    )
  } finally {
    waiting.abort()
  }
}

async function noneUnderWay(works: Works, until: number): Promise<void> {
  while (works.size > 0 && Date.now() < until) await pause(LOOK_MS)
}

function loadRegistry(config: Config, revision: number): Promise<Registry> {
  return buildRegistry({
    provider_dirs: config.provider_dirs,
    pricing_dirs: config.pricing_dirs,
    environment: config.environment,
    sandbox: config.sandbox,
    revision,
    makeTools: (provider) => ({ fetch: makeProviderFetch({ provider }) }),
  })
}

function listen(server: Server, { host, port }: Config): Promise<string> {
  // A client's own pool must never find the connection gone that it was about to use.
  server.keepAliveTimeout = 75_000
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      const { port: bound } = server.address() as AddressInfo
      resolve(`http://${host.includes(':') ? `[${host}]` : host}:${bound}`)
    })
  })
}
