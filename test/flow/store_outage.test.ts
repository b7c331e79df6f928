// The store dies and comes back in the middle of load, as in an election: the routers find it again by themselves, callers
// get their answer or 503, what was under way goes on, and no request is charged twice.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, Caller, eventually, Site } from './site.ts'
import { killVictim, startVictim, type Victim } from './victims.ts'

const SCRIPT = fileURLToPath(new URL('../../scripts/store.ts', import.meta.url))
/** Shorter than the outage: each router's name is out of date when the store is back. */
const timings = { beat_ms: 500, alive_ms: 1500 }
const OUTAGE_MS = 2500
const BACK_MS_MAX = 6000

/** `npm run store` in a process of its own. */
class StoreProcess {
  readonly folder: string
  #process: ChildProcess | undefined
  uri = ''

  constructor(folder: string) {
    this.folder = folder
  }

  async start(): Promise<this> {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SCRIPT], {
      env: { PATH: process.env.PATH, DATA_DIR: join(this.folder, 'store') },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#process = child
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    this.uri = /^MONGODB_URI=(.*)$/m.exec(said.toString())?.[1] ?? ''
    return this
  }

  async kill(): Promise<void> {
    const child = this.#process
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

let folder: string
let store: StoreProcess
let one: Site
let other: Victim
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sw-outage-'))
  store = await new StoreProcess(folder).start()
  const environment = { MONGODB_URI: store.uri, STORAGE_URL: join(folder, 'files') }
  const options = { environment, timings }
  one = await Site.open(options)
  other = await startVictim({ ...options, environment: { ...environment, ADMIN_KEY: one.admin_key } })
}, 40_000)
afterAll(async () => {
  if (other) await killVictim(other)
  await one?.close()
  await store?.kill()
  await rm(folder, { recursive: true, force: true })
}, 60_000)

interface Sent {
  key: string
  answer: Answer
}

/** Sends one call after the other, each with a key of its own, until it is told to end. */
async function calls(caller: Caller, stopped: () => boolean): Promise<Sent[]> {
  const sent: Sent[] = []
  while (!stopped()) {
    const key = randomUUID()
    sent.push({ key, answer: await caller.chat('[[delay:20ms]] Hello', {}, { headers: { 'idempotency-key': key } }) })
  }
  return sent
}

const atRest = ({ held_usd }: { held_usd: string }) => held_usd === '0.000000000'

describe('a store that is killed under load', { timeout: 120_000 }, () => {
  it('costs nobody anything twice, and ends no work that was under way', async () => {
    const caller = await one.caller('5')
    const there = new Caller(other, caller.key, caller.account_id)
    let over = false
    const load = [caller, there, caller, there].map((each) => calls(each, () => over))
    const long = [caller, there].map((each) => each.chat('[[delay:6s]] Hello'))
    const streams = await Promise.all([caller, there].map((each) => each.stream('[[delay:60ms]] [[tokens:100]] Hello')))
    const film = await caller.send('/v1/videos', {
      model: 'sandbox/video',
      prompt: '[[delay:4s]] a hill',
      seconds: '4',
    })
    await Promise.all(streams.map((stream) => stream.readUntil('content')))
    await pause(500)

    await store.kill()
    await pause(OUTAGE_MS)
    // Its beat comes later than that of the first, which has found the store again by then.
    other.process.kill('SIGSTOP')
    await store.start()
    const back_at = Date.now()
    await eventually(
      () => caller.chat('Hello'),
      ({ status }) => status === 200,
    )
    other.process.kill('SIGCONT')
    await Promise.all(
      [caller, there].map((each) =>
        eventually(
          () => each.chat('Hello'),
          ({ status }) => status === 200,
        ),
      ),
    )
    expect(Date.now() - back_at).toBeLessThan(BACK_MS_MAX)

    expect((await Promise.all(long)).map(({ status }) => status)).toEqual([200, 200])
    await Promise.all(streams.map((stream) => stream.readUntil()))
    expect(streams.every(({ text }) => text.includes('[DONE]'))).toBe(true)
    expect(await caller.jobWhen(film.json.id, undefined, 30_000)).toMatchObject({ status: 'completed' })
    await pause(500)
    over = true
    const sent = (await Promise.all(load)).flat()

    const failures = sent.filter(({ answer }) => answer.status !== 200)
    const told = failures.map(({ answer }) => `${answer.status} ${answer.json?.error?.code}`)
    expect(told.filter((each) => each !== '503 store_unavailable')).toEqual([])
    // Sent again under its key, each of them is answered, by the work that was done or by a fresh try.
    for (const { key } of failures) {
      const again = () => there.chat('[[delay:20ms]] Hello', {}, { headers: { 'idempotency-key': key } })
      await eventually(again, ({ status }) => status === 200)
    }

    await eventually(() => caller.credits(), atRest)
    const { settled_usd } = await caller.credits()
    const { store: books } = one.services
    const entries = await books.entries.find({ account_id: caller.account_id, type: 'settle' }).toArray()
    const total = entries.reduce((sum, { amount }) => sum + amount, 0n)
    expect(BigInt(settled_usd.replace('.', ''))).toBe(total)
    // One job and one charge for each call that was answered: those of the load, two long ones, two streams, a film, and
    // whatever the routers were asked until they answered.
    const jobs = await books.jobs.find({ account_id: caller.account_id }).toArray()
    const charged = jobs.filter(({ state }) => state === 'settled')
    expect(jobs.filter(({ state }) => !['settled', 'released'].includes(state))).toEqual([])
    expect(entries.map(({ job_id }) => job_id).sort()).toEqual(charged.map(({ _id }) => _id).sort())
    const answered = sent.filter(({ answer }) => answer.status === 200).map(({ answer }) => answer.job_id)
    expect(answered.filter((id) => !charged.some(({ _id }) => _id === id))).toEqual([])
    expect(charged.length).toBeGreaterThanOrEqual(sent.length + 5)
    expect(await one.verify()).toMatchObject({ ok: true, pending: 0 })
  })
})
