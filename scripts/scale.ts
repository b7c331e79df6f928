// `npm run scale [films] [routers] [divisor]`: films by the thousand, open together at four vendors with times and limits
// of their own; routers as processes on one store, each killed without warning and started again meanwhile. Prints how
// late the routers saw what was done, how often they asked, and how much memory they took. Exit code 1 with the list of
// what is wrong. A `divisor` makes the vendors that much faster. It calls nobody but its own processes.
import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { connectStore } from '../src/store/connect.ts'
import { submitFilms } from './scale/load.ts'
import { reckon } from './scale/reckoning.ts'
import { ScaleSite } from './scale/site.ts'
import { VENDORS, type VendorReport } from './scale/vendors.ts'
import { Api } from './torture/api.ts'
import { ADMIN_KEY, type Victim } from './torture/victim.ts'

const films = Number(process.argv[2] ?? 10_000)
const router_count = Number(process.argv[3] ?? 2)
const divisor = Number(process.argv[4] ?? 1)
/** An account's open holds are in its document: so many of them are still cheap to rewrite. */
const FILMS_PER_ACCOUNT = 100
/** A site's busiest minutes; all are open together, for no vendor is done before the last one is submitted. */
const CALLING = { at_once: 32, per_second: 100 }
/** So many of each vendor come first, so that its times are known, as they are on a site that has been running. */
const WARM_UP = 24
const LAG_P95_MS_MAX = 5000
const DOWN_MS = 2000
const SAMPLE_MS = 2000
const END_MS_MAX = 60_000
const FAULTS_SHOWN = 40
const MEMORY_POINTS = 8

const say = (text: string) => process.stdout.write(`${text}\n`)
const site = new ScaleSite()
process.once('exit', () => site.kill())
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
await site.start(router_count, divisor)
const store = await connectStore(site.uri)
const faults: string[] = []

const memory = new Map<string, number[]>()
const processor_s = new Map<string, number>()
const loads: number[] = []
const lives = site.routers.map(() => 1)
const sampling = setInterval(() => {
  loads.push(loadavg()[0] ?? 0)
  for (const [index, router] of site.routers.entries()) void sample(index, router).catch(() => undefined)
}, SAMPLE_MS)

/** Its resident memory, as its own metrics tell it. Down or busy, it is asked again. */
async function sample(index: number, router: Victim): Promise<void> {
  const name = `router ${'AB'[index] ?? index}, life ${lives[index]}`
  const text = await (await new Api(router, ADMIN_KEY).fetch('/metrics')).text()
  const bytes = Number(/^process_resident_memory_bytes (\d+)/m.exec(text)?.[1])
  processor_s.set(name, Number(/^process_cpu_seconds_total ([\d.]+)/m.exec(text)?.[1]))
  if (bytes > 0) memory.set(name, [...(memory.get(name) ?? []), bytes / 2 ** 20])
}

async function killAndStart(index: number): Promise<void> {
  const router = site.routers[index]
  if (!router) return
  say(`  ${elapsed()} router ${'AB'[index] ?? index} is killed`)
  await router.kill()
  await pause(DOWN_MS)
  lives[index] = (lives[index] ?? 0) + 1
  await router.start()
  say(`  ${elapsed()} router ${'AB'[index] ?? index} is back`)
}

const began_ms = performance.now()
const elapsed = () => `${((performance.now() - began_ms) / 1000).toFixed(0).padStart(4)} s`

const [first] = site.routers
if (!first) throw new Error('There must be a router.')
const admin = new Api(first, ADMIN_KEY)
const accounts = Math.max(4, Math.ceil(films / FILMS_PER_ACCOUNT))
const keys: string[] = []
for (let index = 0; index < accounts; index++) {
  const user = await admin.json<{ id: string }>('/api/v1/users', { name: `Scale ${index}` })
  await admin.json(`/api/v1/users/${user.id}/credits`, { amount_usd: '1000', reason: 'Scale' })
  keys.push((await admin.json<{ key: string }>('/api/v1/keys', { user_id: user.id, name: 'scale' })).key)
}

say(`scale: ${films} films, ${router_count} routers, ${accounts} accounts, ${VENDORS.length} vendors`)
const warm = await submitFilms(site.routers, keys, WARM_UP * VENDORS.length, CALLING)
await filmsAreMade(0)
say(`  ${elapsed()} the vendors' times are known`)

const since = new Date()
let halfway: Promise<void> | undefined
const submitted = await submitFilms(site.routers, keys, films, CALLING, (count) => {
  // Alone it is not killed: nobody else would see what is done meanwhile.
  if (count >= films / 2 && router_count > 1) halfway ??= killAndStart(0)
})
const submitted_s = (Date.now() - since.getTime()) / 1000
say(`  ${elapsed()} all are submitted: ${(films / submitted_s).toFixed(0)} a second`)
await halfway
const made = filmsAreMade(films)
for (let index = 1; index < router_count; index++) {
  await untilPart(0.4)
  await killAndStart(index)
}
await made
await atRest()
clearInterval(sampling)

const vendors = await site.report()
const found = await reckon(store, vendors, [...warm.accepted, ...submitted.accepted], since)
faults.push(...found.faults, ...warm.refused, ...submitted.refused)
const books = await admin.json<{ ok: boolean; entries: number; drift: object[] }>('/api/v1/verify', {})
if (!books.ok) faults.push(`verify: ${JSON.stringify(books.drift.slice(0, 3))}`)
print(vendors)
await store.close()
await site.close()
process.exitCode = faults.length > 0 ? 1 : 0

/** Until the last film is finished at its vendor, `at_least` having been taken; queued ones may still be on their way there. */
async function filmsAreMade(at_least: number): Promise<void> {
  for (;;) {
    const all = (await site.report()).flatMap((vendor) => vendor.films)
    const last = Math.max(0, ...all.map(({ completed_at }) => completed_at))
    // A few were lost with a router, or wait for one.
    if (all.length >= at_least * 0.98 && last < Date.now() && (await openJobs()) <= all.length * 0.01) return
    await pause(Math.min(5000, Math.max(1000, last - Date.now())))
  }
}

async function untilPart(part: number): Promise<void> {
  for (;;) {
    const all = (await site.report()).flatMap((vendor) => vendor.films)
    const done = all.filter(({ completed_at }) => completed_at < Date.now()).length
    if (done >= part * films) return
    await pause(1000)
  }
}

function openJobs(): Promise<number> {
  return store.jobs.countDocuments({ state: { $nin: ['settled', 'released'] } })
}

async function atRest(): Promise<void> {
  const until = Date.now() + END_MS_MAX
  while (Date.now() < until && (await openJobs()) > 0) await pause(500)
}

function print(reports: VendorReport[]): void {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
  const quantile = (values: number[], part: number) => values[Math.floor(part * (values.length - 1))] ?? 0
  const sorted = (values: number[]) => values.toSorted((a, b) => a - b)
  const made = reports.flatMap((report) => report.films).filter(({ submitted_at }) => submitted_at >= since.getTime())
  const last_at = Math.max(...made.map(({ submitted_at }) => submitted_at))
  const open = made.filter(({ completed_at }) => completed_at > last_at).length
  say(`\nopen at once      ${open}, when the last one was submitted`)
  say('\nfrom the vendor’s end to ours      p50      p95      max    polls a film')
  for (const { id } of VENDORS) row(id, sorted(found.lags.get(id) ?? []), found.polls_per_film.get(id))
  const all = sorted([...found.lags.values()].flat())
  row('all', all)
  if (quantile(all, 0.95) > LAG_P95_MS_MAX)
    faults.push(`p95 is ${seconds(quantile(all, 0.95))}, and must be 5 s at most`)
  say('\npolls a second    busiest   limit   refused   submissions refused')
  for (const { id, most_polls, refused_polls, refused_submissions } of reports) {
    const limit = VENDORS.find((vendor) => vendor.id === id)?.polls_per_second ?? 0
    say(
      `${id.padEnd(16)}${String(most_polls).padStart(9)}${String(limit).padStart(8)}${String(refused_polls).padStart(10)}${String(refused_submissions).padStart(22)}`,
    )
    if (refused_polls > 0) faults.push(`${id} refused ${refused_polls} polls`)
  }
  say('\nresident memory, from start to end (MB)                              processor')
  for (const [name, samples] of memory) {
    const points = Array.from({ length: MEMORY_POINTS }, (_, index) => quantile(samples, index / (MEMORY_POINTS - 1)))
    const processor = seconds((processor_s.get(name) ?? 0) * 1000)
    say(`${name.padEnd(20)}${points.map((mb) => mb.toFixed(0).padStart(6)).join('')}${processor.padStart(10)}`)
  }
  const busy = loads.reduce((sum, load) => sum + load, 0) / Math.max(1, loads.length)
  say(
    `\nload of the machine ${busy.toFixed(1)} on average, on ${availableParallelism()} processors, others' work included`,
  )
  say('\noutcomes')
  for (const [outcome, count] of [...found.outcomes].sort(([, a], [, b]) => b - a))
    say(`${String(count).padStart(7)}  ${outcome}`)
  say(`\nlost answers      ${warm.lost + submitted.lost}`)
  say(`entries           ${books.entries}; verify ${books.ok ? 'is clean' : 'is not clean'}`)
  say(`violations        ${faults.length}`)
  for (const fault of faults.slice(0, FAULTS_SHOWN)) say(`  ${fault}`)

  function row(name: string, lags: number[], polls?: number): void {
    const cells = [quantile(lags, 0.5), quantile(lags, 0.95), quantile(lags, 1)].map((ms) => seconds(ms).padStart(9))
    say(`${name.padEnd(30)}${cells.join('')}${polls === undefined ? '' : polls.toFixed(1).padStart(12)}`)
  }
}
