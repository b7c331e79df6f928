// A simulated router: the real flow, ledger and worker in a process of the simulated world, with a store behind a line,
// files in memory and no HTTP.
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Logger } from 'pino'
import { Secrets } from '../../src/flow/account/secrets.ts'
import { newId } from '../../src/flow/ids.ts'
import { JobWrites } from '../../src/flow/job_writes.ts'
import { Metrics } from '../../src/flow/metrics.ts'
import type { Services } from '../../src/flow/services.ts'
import { announce } from '../../src/flow/webhooks/webhook_outbox.ts'
import { Works } from '../../src/flow/work.ts'
import { startHeartbeat } from '../../src/flow/worker/heartbeat.ts'
import { HookDesk } from '../../src/flow/worker/hooks.ts'
import { Lanes } from '../../src/flow/worker/lanes.ts'
import { startWorker, type Worker } from '../../src/flow/worker/worker.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import type { Storage } from '../../src/media/store.ts'
import type { Registry } from '../../src/registry.ts'
import { type Send, storeOver } from './memory_store.ts'
import { Process, type World } from './world.ts'

/** As in a router, but that holds without a job are looked for more often: nobody wants to wait for them here. */
const TIMINGS = { beat_ms: 4000, alive_ms: 14_000, orphans_ms: 20_000 }

export interface Router {
  process: Process
  services: Services
  /** From when on it takes calls. */
  ready(): boolean
  hooks(): HookDesk
}

export interface RouterParts {
  world: World
  name: string
  skew_ms: number
  registry: Registry
  storage: Storage
  lineFor(process: Process): Send
}

/** It starts as a router does, in its own time: the store may not answer it at first. */
export function startSimulatedRouter({ world, name, skew_ms, registry, storage, lineFor }: RouterParts): Router {
  const process = new Process(name)
  process.skew_ms = skew_ms
  const store = storeOver(lineFor(process))
  let worker: Worker | undefined
  // What only HTTP needs is not there.
  const services = {
    config: { retention_days: 7, webhook_allowed_hosts: [] },
    log: notes(world, name),
    store,
    ledger: new Ledger(store, async (decided) => {
      await announce(store, decided)
    }),
    job_writes: new JobWrites(store),
    works: new Works(),
    storage,
    secrets: new Secrets([{ id: 'test', key: Buffer.alloc(32) }]),
    registry: () => registry,
    reload: async () => registry,
    router_id: newId('rtr'),
    metrics: new Metrics(),
    lanes: new Lanes({ pollsPerSecond: () => 50, routers: () => 1 }),
    wake: (at?: Date, queue?: string) => worker?.wake(at, queue),
    wakeWebhooks: () => undefined,
  } as unknown as Services
  const start = async (): Promise<void> => {
    for (;;) {
      try {
        worker = startWorker(services, await startHeartbeat(services, { alone: false, ...TIMINGS }))
        return
      } catch (error) {
        // Whoever runs it would start it again.
        world.note(`${name} could not start: ${String(error)}`)
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    }
  }
  world.in(process, () => void start())
  let desk: HookDesk | undefined
  const hooks = () => {
    desk ??= new HookDesk(services)
    return desk
  }
  return { process, services, ready: () => worker !== undefined, hooks }
}

/** What it would log goes into the trace. */
function notes(world: World, name: string): Logger {
  const note = (level: string) => (facts: unknown, message?: string) => {
    const { job, error } = facts as { job?: string; error?: unknown }
    world.note(`${name} ${level} ${job ?? ''} ${message ?? String(facts)} ${error === undefined ? '' : String(error)}`)
  }
  return { debug: () => undefined, info: () => undefined, warn: note('warns'), error: note('errs') } as never
}

/** Files that all routers share, as in a bucket. */
export function memoryStorage(): Storage {
  const files = new Map<string, Buffer>()
  return {
    async put(key, data, { media_type }) {
      const chunks: Uint8Array[] = []
      if (data instanceof Uint8Array) chunks.push(data)
      else for await (const chunk of data) chunks.push(chunk)
      const bytes = Buffer.concat(chunks)
      files.set(key, bytes)
      return { key, media_type, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
    },
    async open(key) {
      const bytes = files.get(key)
      return bytes && { body: Readable.from([bytes]), bytes: bytes.length }
    },
    async remove(key) {
      files.delete(key)
    },
    async removeAll(prefix) {
      for (const key of files.keys()) if (key.startsWith(prefix)) files.delete(key)
    },
  }
}
