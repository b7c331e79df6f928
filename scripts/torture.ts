// `npm run torture [kills] [seed]`: the real router under a mixed load, killed without warning again and again. After
// each start no hold of the dead may stay and the books must be exact; at the end every answer is held against its
// charge. Exit code 1 with the list of what is wrong. It calls nobody but its own router on the loopback interface.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Api } from './torture/api.ts'
import { beginLoad, type Line, seededRandom } from './torture/load.ts'
import { checkOutputs, checkRest, openJobs, reckon } from './torture/reckoning.ts'
import { ADMIN_KEY, Victim } from './torture/victim.ts'

const CALLERS = 12
const RECOVERY_MS_MAX = 30_000
const END_MS_MAX = 60_000
const LOAD_MS = { least: 150, most: 1500 }
const FAULTS_SHOWN = 50

const kills = Number(process.argv[2] ?? 50)
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000)
const random = seededRandom(seed)
const say = (text: string) => process.stdout.write(`${text}\n`)

const data_dir = await mkdtemp(join(tmpdir(), 'sw-torture-'))
const victim = new Victim(data_dir)
const admin = new Api(victim, ADMIN_KEY)
const journal: Line[] = []
const faults: string[] = []
const recovery_ms: number[] = []
const start_ms: number[] = []

process.once('exit', () => void victim.kill())
await victim.start()
const user = await admin.json<{ id: string }>('/api/v1/users', { name: 'Torture' })
await admin.json(`/api/v1/users/${user.id}/credits`, { amount_usd: '1000', reason: 'Torture' })
const { key } = await admin.json<{ key: string }>('/api/v1/keys', { user_id: user.id, name: 'torture' })
const caller = new Api(victim, key)

/** Asks until nothing is wrong any more; what still is when the time is over are faults. */
async function restWithin(ms: number, check: () => Promise<string[]>, round: string): Promise<number> {
  const began_ms = performance.now()
  for (;;) {
    const found = await check()
    const spent_ms = performance.now() - began_ms
    if (found.length === 0) return spent_ms
    if (spent_ms > ms) {
      faults.push(...found.map((fault) => `${round}: ${fault}`))
      return spent_ms
    }
    await pause(50)
  }
}

say(`torture: ${kills} kills, seed ${seed}, ${CALLERS} callers`)
for (let round = 1; round <= kills; round++) {
  const load = beginLoad([caller], CALLERS, random)
  await pause(LOAD_MS.least + random() * (LOAD_MS.most - LOAD_MS.least))
  await victim.kill()
  journal.push(...(await load.stop()))
  start_ms.push(await victim.start())
  recovery_ms.push(await restWithin(RECOVERY_MS_MAX, () => checkRest(caller, admin), `after kill ${round}`))
  if (round % 10 === 0) say(`  ${round} kills, ${journal.length} calls, ${faults.length} violations`)
}

const last = beginLoad([caller], CALLERS, random)
await pause(LOAD_MS.most)
const last_lines = await last.stop()
journal.push(...last_lines)
for (const { kind, outcome, job_id } of last_lines) {
  if (outcome === 'lost' && kind !== 'chat, hung up')
    faults.push(`${kind} of job ${job_id}: lost, and nobody was killed`)
}
const stillOpen = async () => (await openJobs(caller)).map(({ id, status }) => `job ${id} is ${status}`)
await restWithin(END_MS_MAX, stillOpen, 'at the end')
await restWithin(RECOVERY_MS_MAX, () => checkRest(caller, admin), 'at the end')
const { tally, faults: found } = await reckon(caller, admin, user.id, journal)
faults.push(...found, ...(await checkOutputs(caller, journal, 200)))
await victim.kill('SIGTERM')
await rm(data_dir, { recursive: true, force: true })

const outcomes = ['success', 'failure', 'queued', 'left', 'lost'] as const
const kinds = [...new Set(journal.map(({ kind }) => kind))].sort()
say(`\n${'calls'.padEnd(16)}${outcomes.map((outcome) => outcome.padStart(9)).join('')}`)
for (const kind of [...kinds, 'all']) {
  const counts = outcomes.map(
    (outcome) => journal.filter((line) => line.outcome === outcome && (kind === 'all' || line.kind === kind)).length,
  )
  say(`${kind.padEnd(16)}${counts.map((count) => String(count).padStart(9)).join('')}`)
}
const most = (values: number[]) => `${Math.round(Math.max(0, ...values))} ms`
say(`
kills             ${kills}
jobs              ${tally.jobs} (${tally.completed} completed; ${tally.unheard} whose answer nobody heard)
settled           ${tally.settled_usd} USD
slowest start     ${most(start_ms)}
slowest recovery  ${most(recovery_ms)} after it (at most ${RECOVERY_MS_MAX} allowed)
violations        ${faults.length}`)
for (const fault of faults.slice(0, FAULTS_SHOWN)) say(`  ${fault}`)
process.exitCode = faults.length > 0 ? 1 : 0
