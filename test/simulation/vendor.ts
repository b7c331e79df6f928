// The providers of the simulation: they answer, refuse, fall silent, break off, change their minds and finish late, and
// remember what they were asked for, so that charges can be held against it.
import { setTimeout as pause } from 'node:timers/promises'
import {
  type Call,
  type ChatEvent,
  type Connection,
  done,
  type Json,
  type ModerationOutput,
  type Progress,
  ProviderError,
  pending,
  type Usage,
} from '../../src/contract.ts'
import type { Quote } from '../../src/pricing/schema.ts'
import type { Offer, Registry } from '../../src/registry.ts'
import type { World } from './world.ts'

export const CHAT = 'sim/chat'
export const VERDICT = 'sim/verdict'
const PROVIDERS = ['north', 'south'] as const

/** In nano-USD. */
const INPUT_TOKEN = 1_000n
const OUTPUT_TOKEN = 2_000n
const REQUEST = 1_000_000n

const QUOTE: Quote = {
  rates: [
    { meter: 'input_tokens', usd: '1', per: 1_000_000, when: {} },
    { meter: 'output_tokens', usd: '2', per: 1_000_000, when: {} },
  ],
  adjustment: {},
  from: '2026-01-01',
  source: 'test/simulation',
}
const VERDICT_QUOTE: Quote = { ...QUOTE, rates: [{ meter: 'requests', usd: '0.001', per: 1, when: {} }] }

type Ending = 'success' | 'failure' | 'success, then failure' | 'failure, then success' | 'never'
const ENDINGS: readonly Ending[] = [
  'success',
  'success',
  'success',
  'failure',
  'success, then failure',
  'failure, then success',
  'never',
]

interface Task {
  done_at: number
  ending: Ending
  looks: number
}

/** How likely each misbehaviour of a provider is. */
export interface Manners {
  refuses: number
  hangs: number
  breaks: number
  /** Of looks at work under way. */
  silent: number
}

export class Vendors {
  readonly #world: World
  readonly #manners: () => Manners
  readonly #tasks = new Map<string, Task>()
  /** What each job can have cost, by what was told of it. */
  readonly costs = new Map<string, Set<bigint>>()
  /** Jobs of which somebody was told no usage. */
  readonly uncounted = new Set<string>()
  readonly registry: Registry

  constructor(world: World, manners: () => Manners) {
    this.#world = world
    this.#manners = manners
    const connections = new Map(PROVIDERS.map((name) => [name as string, this.#connect(name)]))
    const offer = (model: string, provider: string, more: Pick<Offer, 'operation' | 'limits' | 'quote'>): Offer => ({
      model,
      provider,
      upstream: model,
      options: {},
      connection: connections.get(provider) ?? {},
      wildcard: false,
      checked: '2026-11-01',
      source: 'test/simulation',
      created: 0,
      ...more,
    })
    const chat = { operation: 'chat' as const, limits: { context: 2000 }, quote: () => QUOTE }
    const verdict = { operation: 'moderation' as const, limits: {}, quote: () => VERDICT_QUOTE }
    this.registry = {
      revision: 1,
      offers: new Map([
        [CHAT, PROVIDERS.map((name) => offer(CHAT, name, chat))],
        [VERDICT, PROVIDERS.map((name) => offer(VERDICT, name, verdict))],
      ]),
      providers: [],
      warnings: [],
      connection: (name) => connections.get(name),
      hosts: () => [],
      packs: {},
      pollsPerSecond: () => 50,
    } as Registry
  }

  #connect(name: (typeof PROVIDERS)[number]): Connection {
    const moderation = {
      start: (_: unknown, call: Call) => this.#start(call),
      poll: (ref: Json, call: Call) => this.#poll(ref as string, call),
      cancel: async (_: Json, call: Call) => this.#travel(call),
      webhook: async () => true,
    }
    return {
      chat: [{ stream: (request, call) => this.#chat(request.max_output_tokens ?? 10, call) }],
      moderation:
        name === 'north'
          ? { ...moderation, repeatable: true }
          : {
              ...moderation,
              find: async (call: Call) => {
                await this.#travel(call)
                return this.#tasks.has(call.job) ? pending(call.job) : undefined
              },
            },
    }
  }

  /** A way to the provider, or back. */
  async #travel({ signal }: Call): Promise<void> {
    await pause(this.#world.between(1, 40), undefined, { signal })
  }

  async #refuse(call: Call): Promise<void> {
    const { refuses, hangs } = this.#manners()
    if (this.#world.chance(hangs)) {
      await pause(this.#world.between(2_000, 20_000), undefined, { signal: call.signal })
      throw new ProviderError('timeout', 'The provider did not answer in time.')
    }
    if (!this.#world.chance(refuses)) return
    const kind = this.#world.pick(['overloaded', 'rate_limit', 'unavailable', 'content_policy', 'internal'] as const)
    throw new ProviderError(kind, `The provider says ${kind}.`)
  }

  async *#chat(most: number, call: Call): AsyncGenerator<ChatEvent> {
    const world = this.#world
    await this.#travel(call)
    await this.#refuse(call)
    const pieces = Math.floor(world.between(0, 6))
    const breaks_at = world.chance(this.#manners().breaks) ? Math.floor(world.random() * (pieces + 1)) : -1
    for (let index = 0; index < pieces; index++) {
      if (index === breaks_at) {
        if (world.chance(0.5)) return
        throw new ProviderError('unavailable', 'The provider broke off.')
      }
      yield { type: 'text', choice: 0, text: `piece ${index} ` }
      if (world.chance(0.3)) await this.#travel(call)
    }
    yield { type: 'finish', choice: 0, reason: 'stop' }
    const told = world.random()
    if (told < 0.15) {
      this.uncounted.add(call.job)
      return
    }
    const input_tokens = Math.floor(world.between(1, 9))
    // One in ten reports more than can have been.
    const output_tokens = Math.floor(told < 0.25 ? most * world.between(1, 1000) : world.between(0, most))
    const usage: Usage = { meters: { input_tokens, output_tokens }, attributes: {}, source: 'reported' }
    this.#cost(call.job, BigInt(input_tokens) * INPUT_TOKEN + BigInt(output_tokens) * OUTPUT_TOKEN)
    yield { type: 'usage', usage }
    if (world.chance(0.1)) yield { type: 'usage', usage }
  }

  #cost(job_id: string, cost: bigint): void {
    this.costs.set(job_id, (this.costs.get(job_id) ?? new Set()).add(cost))
  }

  async #start(call: Call): Promise<Progress<ModerationOutput>> {
    const world = this.#world
    await this.#travel(call)
    await this.#refuse(call)
    const known = this.#tasks.get(call.job)
    if (!known) {
      const done_at = world.now + world.between(0, 15_000)
      this.#tasks.set(call.job, { done_at, ending: world.pick(ENDINGS), looks: 0 })
      world.note(`provider takes ${call.job}`)
    }
    await this.#travel(call)
    if (world.chance(0.1)) return this.#verdict(call.job)
    return pending(call.job, 1, world.between(100, 1000))
  }

  async #poll(ref: string, call: Call): Promise<Progress<ModerationOutput>> {
    await this.#travel(call)
    if (this.#world.chance(this.#manners().silent)) throw new ProviderError('unavailable', 'The provider is away.')
    return this.#verdict(ref)
  }

  #verdict(job_id: string): Progress<ModerationOutput> {
    const task = this.#tasks.get(job_id)
    if (!task || task.ending === 'never' || task.done_at > this.#world.now) return pending(job_id, 50)
    const good = task.ending.startsWith('success')
    // Whoever looks again may be told the contrary.
    const turned = task.ending.includes('then') && task.looks++ > 0
    if (good === turned) return { status: 'failed', error: new ProviderError('internal', 'The provider failed.') }
    this.#cost(job_id, REQUEST)
    const answer = { id: 'modr-1', model: 'm', results: [] }
    return done({ answer }, { meters: { requests: 1 }, attributes: {}, source: 'reported' })
  }
}
