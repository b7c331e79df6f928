// The simulation: routers, callers, providers and a faulty line to the store, all of it decided by one seed. When it is
// over everything must have come to rest, and the books must be exact.

import type { Caller } from '../../src/flow/services.ts'
import { limitKey } from '../../src/ledger/grants.ts'
import type { AccountRecord } from '../../src/store/accounts.ts'
import type { Store } from '../../src/store/connect.ts'
import { addKey, openBooks } from '../ledger/books.ts'
import { type Crowd, callOnce, cancelOne, hintAtOne, type Told } from './callers.ts'
import { faultsAtRest, faultsOfMoney, type Scene } from './invariants.ts'
import { type FaultKind, type Faults, LateWrites, type Line, lineOf, NO_FAULTS } from './line.ts'
import type { Command, MemoryServer } from './memory_store.ts'
import { memoryStorage, type Router, startSimulatedRouter } from './router.ts'
import { type Manners, Vendors } from './vendor.ts'
import { World } from './world.ts'

/** Changes a command on its way to the store, as code without one of its guards would have sent it. */
export type Mutation = (command: Command) => void

export interface Outcome {
  seed: number
  /** In words; empty when all is well. */
  violations: string[]
  /** What happened, with names in place of ids: equal for equal seeds. */
  trace: string[]
  jobs: number
  faults: Record<string, number>
}

const GOOD_MANNERS: Manners = { refuses: 0, hangs: 0, breaks: 0, silent: 0 }
/** How long the trouble lasts, and how long everything may then take to come to rest. */
const TROUBLE_MS = { least: 2_000, most: 15_000 }
const REST_MS_MAX = 1_200_000
const LATE_MS_MAX = 100_000
/** How far a clock may be off; now and then as far as a restored virtual machine's. A dead router counts as alive for so long. */
const SKEW_MS = 20_000
const SKEW_MS_MAX = 600_000

let runs = 0

export interface Variant {
  mutation?: Mutation
  /** In place of those that the seed would choose. */
  faults?: Partial<Faults>
}

export async function simulate(server: MemoryServer, seed: number, variant: Variant = {}): Promise<Outcome> {
  const database = `seed_${seed}_${++runs}`
  const store = server.store(database)
  const world = new World(seed)
  try {
    return await world.live(() => new Simulation(world, server, database, store, variant).run(seed))
  } finally {
    server.run(server.encode(database, { dropDatabase: 1 }))
  }
}

class Simulation {
  readonly #world: World
  readonly #store: Store
  readonly #line: Line
  readonly #late = new LateWrites()
  readonly #storage = memoryStorage()
  readonly #vendors: Vendors
  readonly #violations: string[] = []
  readonly #counts: Record<string, number> = {}
  readonly #routers: Router[] = []
  readonly #told: Told[] = []
  readonly #given: Partial<Faults>
  #faults: Faults = NO_FAULTS
  #manners = GOOD_MANNERS
  #started = 0
  #healed = false
  /** Whether anything was written since somebody looked. */
  #changed = true
  #lowered = false
  #account_id = ''
  #accountOf: () => unknown = () => undefined

  constructor(world: World, server: MemoryServer, database: string, store: Store, { mutation, faults = {} }: Variant) {
    this.#world = world
    this.#given = faults
    this.#store = store
    this.#vendors = new Vendors(world, () => this.#manners)
    this.#line = {
      server,
      database,
      world,
      faults: () => this.#faults,
      met: (kind) => this.#count(kind),
      kill: (process) => this.#kill(process.name),
      written: (command) => this.#checkMoney(command),
      ...(mutation && { alter: mutation }),
    }
    const look = server.encode(database, { find: 'accounts', filter: {} })
    this.#accountOf = () => (server.run(look).cursor as { firstBatch: unknown[] }).firstBatch[0]
  }

  async run(seed: number): Promise<Outcome> {
    const world = this.#world
    const credit = BigInt(Math.floor(world.between(100_000, 6_000_000)))
    const limit = world.chance(0.4) ? BigInt(Math.floor(world.between(50_000, 3_000_000))) : null
    const books = await openBooks(this.#store, credit, limit)
    this.#account_id = books.account_id
    const keys = [books.key_id, await addKey(this.#store, books.account_id, null)]
    await this.#listen()
    this.#faults = { ...this.#anyFaults(), ...this.#given }
    this.#manners = this.#anyManners()
    const count = 1 + Math.floor(world.random() * 3)
    for (let index = 0; index < count; index++) this.#start()
    const caller = (key_id: string): Caller => ({
      key_id,
      account_id: books.account_id,
      user_id: 'usr_test',
      kind: 'caller',
      models: null,
    })
    const known: string[] = []
    const crowd = (): Crowd => ({
      world,
      caller: caller(world.pick(keys)),
      router: () => this.#anyRouter(),
      told: this.#told,
      known,
    })
    const trouble_ms = world.between(TROUBLE_MS.least, TROUBLE_MS.most)
    let acting = 0
    const act = (at_ms: number, what: () => Promise<void>) => {
      acting++
      world.after(at_ms, () => void what().finally(() => acting--))
    }
    const calls = Math.floor(world.between(2, 14))
    for (let index = 0; index < calls; index++) {
      // Some come all at once.
      const at_ms = world.chance(0.5) ? world.between(50, 60) : world.random() * trouble_ms
      act(at_ms, () => callOnce(crowd()))
    }
    for (let index = 0; index < calls / 3; index++) act(world.random() * trouble_ms, () => cancelOne(crowd()))
    for (let index = 0; index < calls / 3; index++) act(world.random() * trouble_ms, () => hintAtOne(crowd()))
    if (world.chance(0.2)) act(world.random() * trouble_ms, () => this.#changeLimit(books.account_id, keys[0] ?? ''))
    this.#disturb(trouble_ms)
    await world.runUntil(() => this.#violations.length > 0, trouble_ms)
    this.#heal()
    const scene = this.#scene()
    let open: string[] = []
    const atRest = () => {
      if (this.#violations.length > 0) return true
      if (acting > 0 || this.#late.count > 0 || !this.#changed) return false
      this.#changed = false
      open = scene.open()
      return open.length === 0
    }
    const rested = await world.runUntil(atRest, REST_MS_MAX)
    if (!rested)
      this.#violations.push(`not at rest: ${acting} actors, ${this.#late.count} late writes, ${open.join(', ')}`)
    if (this.#violations.length === 0) {
      let found: string[] | undefined
      void faultsAtRest(scene).then((faults) => {
        found = faults
      })
      await world.runUntil(() => found !== undefined, 60_000)
      this.#violations.push(...(found ?? ['the books could not be read']))
    }
    const named = aliases()
    return {
      seed,
      violations: this.#violations.map(named),
      trace: world.trace.map(named),
      jobs: this.#told.filter(({ job_id }) => job_id !== '').length,
      faults: this.#counts,
    }
  }

  /** Somebody wants to be told of every end. */
  async #listen(): Promise<void> {
    await this.#store.webhook_endpoints.insertOne({
      _id: 'wh_sim',
      account_id: this.#account_id,
      url: 'https://example.com/',
      events: ['job.completed', 'job.failed', 'job.canceled', 'job.expired'],
      description: '',
      disabled: false,
      disabled_reason: null,
      secrets: [],
      created_at: new Date(),
    })
  }

  #scene(): Scene {
    const { server, database } = this.#line
    return {
      store: this.#store,
      account_id: this.#account_id,
      told: this.#told,
      vendors: this.#vendors,
      open: () => {
        const open: string[] = []
        const filter = { $or: [{ state: { $nin: ['settled', 'released'] } }, { 'lease.owner': { $exists: true } }] }
        const look = server.encode(database, { find: 'jobs', filter, projection: { state: 1, lease: 1 } })
        for (const job of (server.run(look).cursor as { firstBatch: { _id: string; state: string }[] }).firstBatch)
          open.push(`${job._id} is ${job.state}`)
        const { holds } = this.#accountOf() as { holds: object }
        open.push(...Object.keys(holds).map((job_id) => `${job_id} has a hold`))
        return open
      },
    }
  }

  #anyFaults(): Faults {
    const { world } = { world: this.#world }
    // Each seed has troubles of its own, and some have none of a kind.
    const some = (most: number) => (world.chance(0.6) ? world.random() * most : 0)
    return {
      lost_before: some(0.06),
      lost_after: some(0.08),
      late: some(0.08),
      killed_before: some(0.015),
      killed_after: some(0.03),
      frozen: some(0.01),
      read_lost: some(0.02),
      late_ms: world.chance(0.7) ? 3_000 : LATE_MS_MAX,
    }
  }

  #anyManners(): Manners {
    const world = this.#world
    const some = (most: number) => (world.chance(0.6) ? world.random() * most : 0)
    return { refuses: some(0.4), hangs: some(0.2), breaks: some(0.4), silent: some(0.4) }
  }

  #start(): void {
    const world = this.#world
    const name = `router ${++this.#started}`
    const most_ms = world.chance(0.05) ? SKEW_MS_MAX : SKEW_MS
    const skew_ms = world.chance(0.2) ? world.between(-most_ms, most_ms) : 0
    if (skew_ms !== 0) this.#count('clock skew')
    world.note(`${name} starts${skew_ms === 0 ? '' : `, its clock ${Math.round(skew_ms / 1000)} s off`}`)
    const { registry } = this.#vendors
    const lineFor = (process: Router['process']) => lineOf(process, this.#line, this.#late)
    this.#routers.push(startSimulatedRouter({ world, name, skew_ms, registry, storage: this.#storage, lineFor }))
  }

  #anyRouter(): Router | undefined {
    const serving = this.#routers.filter(({ process, ready }) => !process.dead && ready())
    return serving.length > 0 ? this.#world.pick(serving) : undefined
  }

  #kill(name: string): void {
    const router = this.#routers.find(({ process }) => process.name === name)
    if (!router || router.process.dead) return
    this.#world.note(`${name} is killed`)
    this.#count('kills')
    router.process.kill()
    // Whoever runs it starts another one in its place.
    this.#world.after(this.#world.between(100, 6_000), () => {
      if (!this.#healed) this.#start()
    })
  }

  /** Kills and stops at any time, beside those at a write. */
  #disturb(trouble_ms: number): void {
    const world = this.#world
    const times = Math.floor(world.random() * 4)
    for (let index = 0; index < times; index++) {
      world.after(world.random() * trouble_ms, () => {
        const router = this.#anyRouter()
        if (!router) return
        if (world.chance(0.6)) return this.#kill(router.process.name)
        this.#count('frozen')
        world.note(`${router.process.name} stands still`)
        router.process.frozen_until = world.now + world.between(1_000, 40_000)
      })
    }
  }

  /** No more faults, and one router is enough: what it finds it brings to an end. */
  #heal(): void {
    this.#world.note('the trouble is over')
    this.#healed = true
    this.#faults = NO_FAULTS
    this.#manners = GOOD_MANNERS
    const [first, ...others] = this.#routers.filter(({ process }) => !process.dead)
    if (first) first.process.frozen_until = 0
    else this.#start()
    for (const { process } of others) {
      this.#world.note(`${process.name} is taken away`)
      process.kill()
    }
  }

  async #changeLimit(account_id: string, key_id: string): Promise<void> {
    const limit = BigInt(Math.floor(this.#world.between(0, 2_000_000)))
    this.#lowered = true
    await this.#store.keys.updateOne({ _id: key_id }, { $set: { limit } })
    await limitKey(this.#store, account_id, key_id, limit)
  }

  /** After every write to an account: no state of it may be wrong, not even for a moment. */
  #checkMoney(command: Command): void {
    this.#changed = true
    if (command.update !== 'accounts' && command.findAndModify !== 'accounts') return
    const account = this.#accountOf() as AccountRecord
    const faults = faultsOfMoney(account)
    // Only a limit that was lowered meanwhile can be exceeded.
    const beyond = Object.entries(account.keys).filter(([, { room }]) => room < 0n)
    if (!this.#lowered) faults.push(...beyond.map(([key_id]) => `${key_id} has spent more than its limit`))
    if (faults.length > 0) this.#world.note(`violation: ${faults.join('; ')}`)
    this.#violations.push(...faults)
  }

  #count(kind: FaultKind | string): void {
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1
  }
}

/** Names in place of ids, in the order of their appearance. */
function aliases(): (line: string) => string {
  const names = new Map<string, string>()
  return (line) =>
    line.replace(/\b(job|acc|key|rtr|req|gr)_[0-9A-Za-z]{8,}/g, (id, prefix: string) => {
      const name = names.get(id) ?? `${prefix} ${names.size + 1}`
      names.set(id, name)
      return name
    })
}
