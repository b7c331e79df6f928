// Rounds of a fault run with real processes: two routers on one store under a mixed load, killed at named points and at
// any time, frozen, and cut off from the store; after each round everything must come to rest.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Api } from '../torture/api.ts'
import { beginLoad, type Line, type Random } from '../torture/load.ts'
import { checkOutputs, checkRest, openJobs, reckon } from '../torture/reckoning.ts'
import { ADMIN_KEY, Victim } from '../torture/victim.ts'
import { StoreLine } from './store_line.ts'

const CALLERS = 10
const ROUND_MS = { least: 4_000, most: 9_000 }
/** A dead router is known for one after 14 s, and looked after within 4 s. */
const REST_MS_MAX = 90_000
const OUTPUTS_LOOKED_AT = 100
const POINTS = 12
/** A point is passed a few times before it kills, so that there is work beside the one that dies. */
const SPARED_MAX = 40

export interface Report {
  faults: Record<string, number>
  jobs: number
  recoveries: number
  slowest_recovery_ms: number
  drift: string
  violations: string[]
}

export class Routers {
  readonly #folder: string
  readonly #line: StoreLine
  readonly #random: Random
  readonly #victims: Victim[]
  readonly #journal: Line[] = []
  readonly #faults: Record<string, number> = {}
  readonly #recoveries: number[] = []
  readonly #violations: string[] = []
  #user_id = ''
  #key = ''

  private constructor(folder: string, line: StoreLine, random: Random, victims: Victim[]) {
    this.#folder = folder
    this.#line = line
    this.#random = random
    this.#victims = victims
  }

  static async start(random: Random): Promise<Routers> {
    const folder = await mkdtemp(join(tmpdir(), 'sw-fault-'))
    const line = await StoreLine.start(join(folder, 'store'), random)
    const shared = {
      MONGODB_URI: line.uri,
      STORAGE_URL: join(folder, 'files'),
      ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
      // Losing the store is the point here, and not worth a line each.
      LOG_LEVEL: 'fatal',
    }
    const victims: Victim[] = []
    for (const name of ['one', 'two']) {
      await mkdir(join(folder, name))
      victims.push(new Victim(join(folder, name), shared))
    }
    const routers = new Routers(folder, line, random, victims)
    for (const victim of victims) await victim.start()
    await routers.#open()
    return routers
  }

  get #first(): Victim {
    const [first] = this.#victims
    if (!first) throw new Error('There are two routers.')
    return first
  }

  get #admin(): Api {
    return new Api(this.#first, ADMIN_KEY)
  }

  get #caller(): Api {
    return new Api(this.#first, this.#key)
  }

  async #open(): Promise<void> {
    const { id } = await this.#admin.json<{ id: string }>('/api/v1/users', { name: 'Fault' })
    this.#user_id = id
    await this.#admin.json(`/api/v1/users/${id}/credits`, { amount_usd: '10000', reason: 'Fault' })
    this.#key = (await this.#admin.json<{ key: string }>('/api/v1/keys', { user_id: id, name: 'fault' })).key
  }

  /** Load and trouble for a while, then rest. */
  async round(number: number): Promise<void> {
    const [one, two] = this.#victims.map((victim) => new Api(victim, this.#key))
    if (!one || !two) return
    const load = beginLoad([one, two], CALLERS, this.#random)
    const until = performance.now() + this.#between(ROUND_MS.least, ROUND_MS.most)
    this.#line.trouble = true
    while (performance.now() < until) {
      await pause(this.#between(200, 1500))
      const victim = this.#random() < 0.5 ? this.#victims[0] : this.#victims[1]
      if (victim) await this.#hurt(victim, until)
    }
    this.#line.trouble = false
    this.#journal.push(...(await load.stop()))
    for (const victim of this.#victims) await this.#revive(victim)
    await this.#rest(`round ${number}`)
  }

  async #hurt(victim: Victim, until: number): Promise<void> {
    if (!victim.alive) return this.#revive(victim, this.#random() < 0.6)
    const what = this.#random()
    if (what < 0.4) {
      this.#count('kill -9')
      await victim.kill()
    } else if (what < 0.6) {
      this.#count('SIGSTOP')
      victim.signal('SIGSTOP')
      // Now and then long enough to be taken for dead.
      await pause(this.#random() < 0.2 ? 16_000 : Math.min(3_000, Math.max(0, until - performance.now())))
      victim.signal('SIGCONT')
    }
  }

  /** Starts it again if it is dead, armed or not; one that died of its point is counted. */
  async #revive(victim: Victim, armed = false): Promise<void> {
    if (victim.alive) return
    const [point_died_at] = victim.died_at?.split(':') ?? []
    if (point_died_at !== undefined) this.#count(point_died_at)
    const point = 1 + Math.floor(this.#random() * POINTS)
    const times = 1 + Math.floor(this.#random() * SPARED_MAX)
    // One that dies of its point while it starts is started again in the next breath.
    await victim.start(armed ? `K${point}:${times}` : undefined).catch(() => undefined)
  }

  async #rest(when: string): Promise<void> {
    const began_ms = performance.now()
    for (;;) {
      for (const victim of this.#victims) await this.#revive(victim)
      const found = await checkRest(this.#caller, this.#admin).catch((error: unknown) => [String(error)])
      const spent_ms = performance.now() - began_ms
      if (found.length === 0) return void this.#recoveries.push(spent_ms)
      if (spent_ms > REST_MS_MAX) return void this.#violations.push(...found.map((fault) => `${when}: ${fault}`))
      await pause(200)
    }
  }

  /** Every answer against its charge; then everything is stopped and removed. */
  async end(): Promise<Report> {
    const began_ms = performance.now()
    // What is armed may still die of what it finishes.
    for (const victim of this.#victims) {
      await victim.kill()
      await this.#revive(victim)
    }
    while ((await openJobs(this.#caller)).length > 0 && performance.now() - began_ms < REST_MS_MAX) await pause(200)
    await this.#rest('at the end')
    const { tally, faults } = await reckon(this.#caller, this.#admin, this.#user_id, this.#journal)
    this.#violations.push(...faults, ...(await checkOutputs(this.#caller, this.#journal, OUTPUTS_LOOKED_AT)))
    const { drift } = await this.#admin.json<{ drift: object[] }>('/api/v1/verify', {})
    await this.close()
    const { answers, commands } = this.#line.lost
    return {
      faults: { ...this.#faults, 'answers of the store lost': answers, 'commands to the store lost': commands },
      jobs: tally.jobs,
      recoveries: this.#recoveries.length,
      slowest_recovery_ms: Math.round(Math.max(0, ...this.#recoveries)),
      drift: drift.length === 0 ? '0' : JSON.stringify(drift),
      violations: this.#violations,
    }
  }

  async close(): Promise<void> {
    for (const victim of this.#victims) await victim.kill()
    await this.#line.close()
    await rm(this.#folder, { recursive: true, force: true })
  }

  #between(least: number, most: number): number {
    return least + this.#random() * (most - least)
  }

  #count(kind: string): void {
    this.#faults[kind] = (this.#faults[kind] ?? 0) + 1
  }
}
