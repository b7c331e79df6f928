// `npm run bench`: one sitting, every target through every measurement, then the table of docs/benchmarks.md.
//   npm run bench -- [--quick] [--targets bare,switchyard] [--measures chat,picture]
// It writes the figures to bench/results/ and never sends traffic beyond loopback.
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { canPin, describeMachine, endProcess, freePort, LOAD_CORE, spawnOn } from './machine.ts'
import { type Figures, MEASURES, type Sitting } from './measures.ts'
import { type Results, table } from './table.ts'
import { chooseTargets, PEERS_UPSTREAM_PORT } from './targets.ts'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    targets: { type: 'string' },
    measures: { type: 'string' },
    seconds: { type: 'string' },
    runs: { type: 'string' },
  },
})

async function startUpstream(port: number) {
  const program = join(import.meta.dirname, 'upstream.ts')
  const child = spawnOn(LOAD_CORE, [process.execPath, program, String(port)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  for (let attempt = 0; attempt < 100; attempt++) {
    const answer = await fetch(`http://127.0.0.1:${port}/settings`, { method: 'POST', body: '{}' }).catch(
      () => undefined,
    )
    if (answer?.ok) return child
    if (child.exitCode !== null) break
    await sleep(50)
  }
  await Promise.race([once(child, 'exit'), endProcess(child)])
  throw new Error(`the stand-in provider cannot use port ${port}: is another bench running?`)
}

function save(results: Results): string {
  const folder = join(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${new Date().toISOString().replaceAll(':', '-')}.json`)
  writeFileSync(file, `${JSON.stringify({ machine: describeMachine(), results }, null, 2)}\n`)
  return file
}

async function sit() {
  if (process.platform !== 'linux') throw new Error('the bench reads CPU time from /proc: run it on Linux')
  if (!canPin) console.error('one core, or no taskset: everything shares its cores, so trust ratios even less')
  const targets = chooseTargets(options.targets?.split(','), options.quick)
  const measures = MEASURES.filter(
    ({ name }) => options.measures?.split(',').some((part) => name.includes(part)) ?? true,
  )
  const hasPeers = targets.some(({ name }) => name !== 'direct' && name !== 'switchyard')
  const upstreamPort = hasPeers ? PEERS_UPSTREAM_PORT : await freePort()
  const sitting: Sitting = {
    upstreamPort,
    seconds: Number(options.seconds ?? (options.quick ? 3 : 4)),
    runs: Number(options.runs ?? (options.quick ? 1 : 3)),
    tries: options.quick ? 1 : 3,
  }
  const results: Results = Object.fromEntries(targets.map(({ name }): [string, Figures] => [name, {}]))
  const upstream = await startUpstream(upstreamPort)
  try {
    for (const measure of measures) {
      for (const target of targets) {
        if (target.name === 'direct' && !measure.against_direct) continue
        console.error(`${measure.name}: ${target.name}`)
        try {
          Object.assign(results[target.name] ?? {}, await measure.take(target, sitting))
        } catch (error) {
          // The others' figures are worth having even so; the exit code says that some are missing.
          console.error(`  FAILED: ${error instanceof Error ? error.message : error}`)
          process.exitCode = 1
        }
      }
    }
  } finally {
    await endProcess(upstream)
  }
  console.log(`${describeMachine()}\n\n${table(results)}\n`)
  console.log(`figures: ${save(results)}`)
}

await sit()
