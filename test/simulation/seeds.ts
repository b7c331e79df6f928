// Many seeds, one after the other, and what is told of one that fails. SIM_SEED=n runs that seed alone, with its whole
// trace; SIM_SEEDS is how many there are in all, SIM_FIRST the first of them.
import { expect } from 'vitest'
import { MemoryServer } from './memory_store.ts'
import { type Outcome, simulate } from './simulate.ts'

const COUNT = Number(process.env.SIM_SEEDS ?? 1000)
const FIRST = Number(process.env.SIM_FIRST ?? 1)
const ONLY = process.env.SIM_SEED
const LINES_SHOWN = 150
/** Far more than a seed takes on a machine that is busy with other tests. */
const SEED_MS_MAX = 600

/** Seeds are shared out among files of tests, because each file has a process of its own. */
export const PARTS = 2
export const SEEDS_MS_MAX = 20_000 + (COUNT / PARTS) * SEED_MS_MAX

/** The seeds of one part; fails at the first that breaks a rule. */
export async function runSeeds(part: number): Promise<void> {
  const server = new MemoryServer()
  try {
    for (const seed of seedsOf(part)) {
      const outcome = await simulate(server, seed)
      if (outcome.violations.length > 0) expect.unreachable(report(outcome))
    }
  } finally {
    server.close()
  }
}

function seedsOf(part: number): number[] {
  if (ONLY !== undefined) return part === 0 ? [Number(ONLY)] : []
  return Array.from({ length: COUNT }, (_, index) => FIRST + index).filter((seed) => seed % PARTS === part)
}

function report({ seed, violations, trace }: Outcome): string {
  const shown = ONLY === undefined ? trace.slice(-LINES_SHOWN) : trace
  const replay = `SIM_SEED=${seed} npx vitest run test/simulation/simulation.test.ts`
  return `Seed ${seed} (${replay} shows all of it):\n${violations.join('\n')}\n${shown.join('\n')}`
}
