// `npm run fault -- --minutes 10 [--seed n]`: what can go wrong, on purpose. Seeds of the simulation, then rounds of two
// real routers on one store that are killed, frozen and cut off under load. It prints what was done and what came of it;
// exit code 1 with a list if a single nano-dollar is off, a hold stays, or an answer and its charge differ.
import { parseArgs } from 'node:util'
import { MemoryServer } from '../test/simulation/memory_store.ts'
import { simulate } from '../test/simulation/simulate.ts'
import { type Report, Routers } from './fault/routers.ts'
import { seededRandom } from './torture/load.ts'

/** Of the whole time. */
const SIMULATION_SHARE = 0.35
/** The reckoning at the end takes as long, about. */
const END_MS = 15_000
const SHOWN = 50

const { values } = parseArgs({ options: { minutes: { type: 'string' }, seed: { type: 'string' } } })
const minutes = Number(values.minutes ?? 10)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  process.stderr.write('Use it like this: npm run fault -- --minutes 10 --seed 7\n')
  process.exit(1)
}
const say = (text: string) => process.stdout.write(`${text}\n`)
const until_ms = performance.now() + minutes * 60_000
const violations: string[] = []
const kinds = new Map<string, number>()
const count = (kind: string, times = 1) => kinds.set(kind, (kinds.get(kind) ?? 0) + times)

/** The first and the last seed, and the jobs. */
async function runSimulation(): Promise<{ first: number; last: number; jobs: number }> {
  const server = new MemoryServer()
  const ends_ms = performance.now() + minutes * 60_000 * SIMULATION_SHARE
  let last = seed
  let jobs = 0
  for (; performance.now() < ends_ms; last++) {
    const outcome = await simulate(server, last)
    jobs += outcome.jobs
    for (const [kind, times] of Object.entries(outcome.faults)) count(`simulated: ${kind}`, times)
    violations.push(...outcome.violations.map((each) => `SIM_SEED=${last}: ${each}`))
  }
  server.close()
  return { first: seed, last: last - 1, jobs }
}

let routers: Routers | undefined

async function runRouters(): Promise<Report & { rounds: number }> {
  routers = await Routers.start(seededRandom(seed))
  let rounds = 0
  do await routers.round(++rounds)
  while (performance.now() + END_MS < until_ms)
  return { rounds, ...(await routers.end()) }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void Promise.resolve(routers?.close()).finally(() => process.exit(130)))

say(`fault: ${minutes} minutes, seed ${seed}`)
const simulated = await runSimulation()
say(`  ${simulated.last - simulated.first + 1} simulated worlds, ${violations.length} violations`)
const { rounds, faults, jobs, recoveries, slowest_recovery_ms, drift, violations: found } = await runRouters()
violations.push(...found)
for (const [kind, times] of Object.entries(faults)) count(kind, times)

const kills = [...kinds].filter(([kind]) => /^(K\d+|kill -9|simulated: kills)$/.test(kind))
say(`\n${'fault'.padEnd(32)}times`)
for (const [kind, times] of [...kinds].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true })))
  say(`${kind.padEnd(32)}${String(times).padStart(5)}`)
say(`
seeds             ${simulated.first} to ${simulated.last} (${simulated.jobs} jobs); routers: ${seed} (${rounds} rounds, ${jobs} jobs)
kills             ${kills.reduce((sum, [, times]) => sum + times, 0)}
recoveries        ${recoveries} (slowest ${slowest_recovery_ms} ms)
drift             ${drift} nano-dollars
violations        ${violations.length}`)
for (const violation of violations.slice(0, SHOWN)) say(`  ${violation}`)
process.exitCode = violations.length > 0 ? 1 : 0
