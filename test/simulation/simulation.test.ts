// The real flow, ledger and worker in a simulated world, seed after seed: whatever is lost, late, killed, frozen, refused
// or repeated, everything comes to rest and the books are exact.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MemoryServer } from './memory_store.ts'
import { runSeeds, SEEDS_MS_MAX } from './seeds.ts'
import { type Outcome, simulate } from './simulate.ts'

let server: MemoryServer
beforeAll(() => {
  server = new MemoryServer()
})
afterAll(() => server.close())

describe('the simulation', () => {
  it('keeps the books exact whatever happens', { timeout: SEEDS_MS_MAX }, () => runSeeds(0))

  it('runs the same way for the same seed, step by step, and otherwise for another', async () => {
    const seeds = [3, 77, 3, 77]
    const outcomes: Outcome[] = []
    for (const seed of seeds) outcomes.push(await simulate(server, seed))
    const [first, second, third, fourth] = outcomes.map(({ trace }) => trace)
    expect(third).toEqual(first)
    expect(fourth).toEqual(second)
    expect(second).not.toEqual(first)
    expect(Math.min(...outcomes.map(({ trace }) => trace.length))).toBeGreaterThan(40)
  })

  it('brings about every kind of fault', async () => {
    const met = new Set<string>()
    for (let seed = 1; seed <= 40; seed++)
      for (const kind of Object.keys((await simulate(server, seed)).faults)) met.add(kind)
    expect([...met].sort()).toEqual([
      'clock skew',
      'frozen',
      'killed after',
      'killed before',
      'kills',
      'late',
      'lost after',
      'lost before',
      'read lost',
    ])
  })
})
