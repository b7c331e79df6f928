// Several routers on one store: each job is worked by one of them, a cancel reaches whichever it is, and the work of one
// that is killed or frozen is brought to its end by the others, with the money moved once.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type TestStore, testStore } from '../support/store.ts'
import { Caller, chatBody, ended, eventually, recordOf, Site } from './site.ts'
import { killVictim, startVictim, type Victim } from './victims.ts'

const ALIVE_MS = 1500
const timings = { beat_ms: 250, alive_ms: ALIVE_MS }

let shared: TestStore
let files: string
let survivor: Site
beforeAll(async () => {
  shared = await testStore()
  files = await mkdtemp(join(tmpdir(), 'sw-files-'))
  survivor = await Site.open({ environment: environment(), timings })
})
afterAll(async () => {
  await survivor.close()
  await shared.close()
  await rm(files, { recursive: true, force: true })
})

const environment = () => ({ MONGODB_URI: shared.uri, STORAGE_URL: files })

const victims: Victim[] = []

async function begin(): Promise<Victim> {
  const victim = await startVictim({ timings, environment: { ...environment(), ADMIN_KEY: survivor.admin_key } })
  victims.push(victim)
  return victim
}

afterEach(async () => {
  for (const victim of victims.splice(0)) await killVictim(victim)
})

/** The same caller at the other router. */
const at = (victim: Victim, caller: Caller) => new Caller(victim, caller.key, caller.account_id)

const film = { model: 'sandbox/video', prompt: '[[delay:1s]] a hill', seconds: '4' }
const respond_async = { headers: { prefer: 'respond-async' } }

describe('two routers on one store', { timeout: 60_000 }, () => {
  it('work on each job once', async () => {
    const victim = await begin()
    const caller = await survivor.caller('1')
    const there = at(victim, caller)
    const picture = { model: 'sandbox/image', prompt: 'a hill', size: '64x64' }
    const sent = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 ? caller : there).send('/v1/images/generations', picture, respond_async),
      ),
    )
    const jobs = await Promise.all(sent.map(({ json }) => caller.jobWhen(json.id)))
    expect(jobs.every(({ status, attempts }) => status === 'completed' && attempts.length === 1)).toBe(true)
    expect(
      await eventually(
        () => caller.credits(),
        ({ held_usd }) => held_usd === '0.000000000',
      ),
    ).toMatchObject({
      settled_usd: '0.400000000',
    })
    const records = await Promise.all(jobs.map(({ id }) => recordOf(survivor, id)))
    expect(records.every(({ lease }) => lease.fence === 1)).toBe(true)
    expect(await survivor.verify()).toMatchObject({ ok: true })
  })

  it('cancel what the other one works on, charged for what was delivered', async () => {
    const victim = await begin()
    const caller = await survivor.caller('1')
    const stream = await at(victim, caller).stream('[[delay:50ms]] [[tokens:150]] Hello')
    await stream.readUntil('content')
    expect(await caller.json(`/v1/jobs/${stream.job_id}/cancel`, {})).toMatchObject({ status: 'canceled' })
    await stream.readUntil()
    expect(stream.events.at(-1)).toMatchObject({ error: { code: 'canceled' } })
    const { billing, usage } = await caller.job(stream.job_id)
    expect(billing.status).toBe('settled')
    expect(usage?.meters.output_tokens).toBeLessThan(100)
    expect(
      await eventually(
        () => caller.credits(),
        ({ held_usd }) => held_usd === '0.000000000',
      ),
    ).toMatchObject({
      settled_usd: billing.cost_usd,
    })
  })

  it('finish what the other one left when it was killed', async () => {
    const victim = await begin()
    const caller = await survivor.caller('1')
    const there = at(victim, caller)
    const made = await there.send('/v1/videos', film)
    await caller.jobWhen(made.json.id, ({ status }) => status === 'in_progress')
    const stream = await there.stream('[[delay:100ms]] [[tokens:150]] Hello')
    await stream.readUntil('content')
    const silent = there.chat('[[delay:30s]] Hello').catch(() => 'cut')
    const queued = await there.send('/v1/chat/completions', chatBody('[[delay:20s]] Hello'), respond_async)
    await caller.jobWhen(queued.json.id, ({ status }) => status === 'in_progress')
    await eventually(
      () => caller.json<{ data: object[] }>('/v1/jobs?status=in_progress'),
      ({ data }) => data.length === 4,
    )
    victim.process.kill('SIGKILL')
    expect(await silent).toBe('cut')
    expect(await caller.jobWhen(made.json.id)).toMatchObject({ status: 'completed' })
    const { data } = await caller.json<{ data: { id: string; status: string }[] }>('/v1/jobs')
    const others = await Promise.all(data.map(({ id }) => caller.jobWhen(id, ended)))
    expect(others.map(({ status }) => status).sort()).toEqual(['completed', 'failed', 'failed', 'failed'])
    expect(
      await eventually(
        () => caller.credits(),
        ({ held_usd }) => held_usd === '0.000000000',
      ),
    ).toMatchObject({
      settled_usd: '0.040000000',
    })
    expect(await survivor.verify()).toMatchObject({ ok: true, pending: 0 })
  })

  it('take over from one that is frozen; when it wakes, what it writes is too late', async () => {
    const victim = await begin()
    const caller = await survivor.caller('1')
    const there = at(victim, caller)
    const stream = await there.stream('[[delay:40ms]] [[tokens:60]] Hello')
    await stream.readUntil('content')
    const made = await there.send('/v1/videos', { ...film, prompt: 'a hill' })
    victim.process.kill('SIGSTOP')
    expect(await caller.jobWhen(stream.job_id)).toMatchObject({ status: 'failed', billing: { status: 'released' } })
    victim.process.kill('SIGCONT')
    await stream.readUntil()
    expect(stream.text).not.toContain('[DONE]')
    expect(stream.events.at(-1)).toHaveProperty('error')
    expect(await caller.jobWhen(made.json.id)).toMatchObject({ status: 'completed' })
    // Alive again, it takes work as before.
    expect((await there.chat('Hello')).status).toBe(200)
    expect(
      await eventually(
        () => caller.credits(),
        ({ held_usd }) => held_usd === '0.000000000',
      ),
    ).toBeTruthy()
    expect(await caller.job(stream.job_id)).toMatchObject({ status: 'failed', billing: { cost_usd: '0.000000000' } })
    expect(await survivor.verify()).toMatchObject({ ok: true, pending: 0 })
  })

  it('do the work of one Idempotency-Key once, and either gives its answer', async () => {
    const victim = await begin()
    const caller = await survivor.caller('1')
    const there = at(victim, caller)
    const ask = (who: Caller) => who.chat('[[delay:200ms]] Hello', {}, { headers: { 'idempotency-key': 'both' } })
    const answers = await Promise.all([caller, there, caller, there].map(ask))
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true)
    const made = answers.filter(({ status, headers }) => status === 200 && !headers.has('idempotent-replayed'))
    expect(made).toHaveLength(1)
    const [first] = made
    const again = await Promise.all([ask(caller), ask(there)])
    for (const { text, headers } of again) {
      expect(text).toBe(first?.text)
      expect(headers.get('idempotent-replayed')).toBe('true')
    }
    expect(await survivor.services.store.jobs.countDocuments({ account_id: caller.account_id })).toBe(1)
  })

  it('free an Idempotency-Key whose router was killed, once its job is released', async () => {
    const victim = await begin()
    const caller = await survivor.caller('1')
    const key = { headers: { 'idempotency-key': 'killed' } }
    const lost = at(victim, caller).chat('[[delay:3s]] Hello', {}, key)
    const jobs = () => survivor.services.store.jobs.find({ account_id: caller.account_id }).toArray()
    await eventually(jobs, ([job]) => job?.state === 'running')
    victim.process.kill('SIGKILL')
    await expect(lost).rejects.toThrow()
    const ask = () => caller.chat('[[delay:3s]] Hello', {}, key)
    expect(await eventually(ask, ({ status }) => status !== 409)).toMatchObject({ status: 200 })
    expect((await jobs()).map(({ decision }) => decision?.status).sort()).toEqual(['completed', 'failed'])
    expect(await survivor.verify()).toMatchObject({ ok: true })
  })
})
