// The worker between vendors that misbehave: each has its own places and its own pace, the last look counts, what is made
// is fetched, what was given up stays given up, and nothing is submitted twice.
import { afterEach, describe, expect, it } from 'vitest'
import { Caller, ended, eventually, recordOf } from '../site.ts'
import { type AdminJob, type Cinema, type FilmMaker, openCinema, type Playing } from './vendor.ts'

const open: Cinema[] = []
afterEach(async () => {
  for (const cinema of open.splice(0)) await cinema.close()
})

async function cinema(...vendors: Playing[]): Promise<Cinema & { maker: FilmMaker; other: FilmMaker }> {
  const opened = await openCinema(vendors, { timings: { beat_ms: 200 } })
  open.push(opened)
  const [maker, other] = opened.makers as [FilmMaker, FilmMaker]
  return { ...opened, maker, other }
}

const submitted = (maker: FilmMaker, count = 1) =>
  eventually(
    async () => maker.films.length,
    (films) => films >= count,
  )
const inProgress = ({ status }: { status: string }) => status === 'in_progress'
const referred = ({ site }: Cinema, id: string) =>
  eventually(
    () => recordOf(site, id),
    ({ ref, poll_at }) => ref !== null && poll_at !== undefined,
  )
const adminJob = ({ site }: Cinema, id: string) => new Caller(site, site.admin_key).json<AdminJob>(`/api/v1/jobs/${id}`)
const metrics = async ({ site }: Cinema) => (await new Caller(site, site.admin_key).send('/metrics')).text

describe('a vendor that hangs', () => {
  it('holds up its own films alone: another’s are made meanwhile', { timeout: 30_000 }, async () => {
    const { maker, other, submit, caller } = await cinema({ id: 'stuck' }, { id: 'quick' })
    maker.before = () => 'silence'
    other.before = () => {
      other.finishAll()
      return undefined
    }
    await Promise.all(Array.from({ length: 80 }, () => submit(maker)))
    await submitted(maker, 64)
    expect(await caller.jobWhen(await submit(other))).toMatchObject({ status: 'completed' })
    expect(maker.films).toHaveLength(64)
  })

  it('at its polls holds no more of them than its own places', { timeout: 30_000 }, async () => {
    const { maker, other, submit, caller } = await cinema({ id: 'stuck', polls_per_second: 1000 }, { id: 'quick' })
    maker.before = (method) => (method === 'GET' ? 'silence' : undefined)
    other.before = () => {
      other.finishAll()
      return undefined
    }
    await Promise.all(Array.from({ length: 80 }, () => submit(maker)))
    await eventually(
      async () => maker.films.filter(({ polled }) => polled.length > 0).length,
      (polled) => polled === 64,
    )
    expect(await caller.jobWhen(await submit(other))).toMatchObject({ status: 'completed' })
  })
})

describe('the polls of one vendor', () => {
  const times = (maker: FilmMaker) => maker.films.flatMap(({ polled }) => polled).sort((a, b) => a - b)

  it('are evenly spaced, and never more in a second than it bears', { timeout: 30_000 }, async () => {
    const { maker, submit } = await cinema({ id: 'modest', polls_per_second: 10 })
    await Promise.all(Array.from({ length: 40 }, () => submit(maker)))
    const polled = await eventually(
      async () => times(maker),
      (all) => all.length >= 40,
      20_000,
    )
    const busiest = polled.map((from) => polled.filter((at) => at >= from && at < from + 1000).length)
    expect(Math.max(...busiest)).toBeLessThanOrEqual(11)
  })

  it('stop altogether for as long as it asks for, and then come slower', { timeout: 30_000 }, async () => {
    const { maker, submit } = await cinema({ id: 'busy', polls_per_second: 100 })
    let refused_at = 0
    maker.before = (method, path) => {
      if (method !== 'GET' || !path.startsWith('/films') || refused_at > 0) return undefined
      refused_at = performance.now()
      return { status: 429, retry_after: '2' }
    }
    await Promise.all(Array.from({ length: 20 }, () => submit(maker)))
    await eventually(
      async () => times(maker),
      (all) => refused_at > 0 && (all.at(-1) ?? 0) > refused_at + 2000,
      20_000,
    )
    // Those that were on their way when it refused have left their places.
    expect(times(maker).filter((at) => at > refused_at + 200 && at < refused_at + 1900)).toEqual([])
  })
})

describe('a deadline', () => {
  const pass = ({ site }: Cinema, id: string) =>
    site.services.store.jobs.updateOne(
      { _id: id },
      { $set: { deadline: new Date(Date.now() - 1), poll_at: new Date(0) } },
    )

  it('that passed is followed by one last look, and a film that is done by then is delivered and charged', async () => {
    const played = await cinema({ id: 'late' })
    const { maker, submit, caller, site } = played
    const id = await submit(maker)
    await referred(played, id)
    maker.finishAll()
    await pass(played, id)
    site.services.wake()
    expect(await caller.jobWhen(id)).toMatchObject({ status: 'completed', billing: { cost_usd: '0.040000000' } })
  })

  it('that passes over unfinished work ends it; a film that comes later is noted for the admin, and never charged', async () => {
    const played = await cinema({ id: 'late' })
    const { maker, submit, caller, site, hurry } = played
    const id = await submit(maker)
    await referred(played, id)
    await pass(played, id)
    site.services.wake()
    expect(await caller.jobWhen(id)).toMatchObject({ status: 'expired', error: { code: 'timeout' } })
    await eventually(
      async () => maker.canceled,
      (canceled) => canceled === 1,
    )
    await eventually(
      () => recordOf(site, id),
      ({ poll_at }) => poll_at !== undefined,
    )
    maker.finishAll()
    await hurry(id)
    const noted = await eventually(
      () => adminJob(played, id),
      ({ late_success }) => late_success !== undefined,
    )
    expect(noted).toMatchObject({ status: 'expired', billing: { status: 'released', cost_usd: '0.000000000' } })
    expect(await caller.job(id)).not.toHaveProperty('late_success')
    expect(await metrics(played)).toContain('switchyard_late_successes_total{provider="late"} 1')
    expect(await caller.credits()).toMatchObject({ available_usd: '10.000000000', settled_usd: '0.000000000' })
    expect((await recordOf(site, id)).poll_at).toBeUndefined()
  })
})

describe('a canceled film', () => {
  it('that its vendor finishes all the same stays canceled and free, and its admin is told', async () => {
    const played = await cinema({ id: 'stubborn' })
    const { maker, submit, caller, site, hurry } = played
    const id = await submit(maker)
    await referred(played, id)
    expect(await caller.json(`/v1/jobs/${id}/cancel`, {})).toMatchObject({ status: 'canceled' })
    maker.finishAll()
    await hurry(id)
    const noted = await eventually(
      () => adminJob(played, id),
      ({ late_success }) => late_success !== undefined,
    )
    expect(noted).toMatchObject({ status: 'canceled', billing: { cost_usd: '0.000000000' } })
    expect(await site.verify()).toMatchObject({ ok: true })
  })
})

describe('the first decision', () => {
  it('stands: a film that failed is not charged when its vendor says later that it is done', async () => {
    const played = await cinema({ id: 'fickle' })
    const { maker, submit, caller, hurry } = played
    const id = await submit(maker)
    await referred(played, id)
    maker.finishAll('failed')
    await hurry(id)
    expect(await caller.jobWhen(id)).toMatchObject({ status: 'failed', billing: { status: 'released' } })
    maker.finishAll('done')
    await hurry(id)
    expect(await caller.job(id)).toMatchObject({ status: 'failed', billing: { cost_usd: '0.000000000' } })
  })

  it('stands: a film that was charged stays so when its vendor says later that it failed', async () => {
    const played = await cinema({ id: 'fickle' })
    const { maker, submit, caller, hurry, site } = played
    const id = await submit(maker)
    await referred(played, id)
    maker.finishAll('done')
    await hurry(id)
    expect(await caller.jobWhen(id)).toMatchObject({ status: 'completed' })
    const polls = maker.films[0]?.polled.length
    maker.finishAll('failed')
    await hurry(id)
    expect(await caller.job(id)).toMatchObject({ status: 'completed', billing: { cost_usd: '0.040000000' } })
    expect(maker.films[0]?.polled.length).toBe(polls)
    expect(await site.verify()).toMatchObject({ ok: true })
  })
})

describe('the file of a finished film', () => {
  it('that does not come is asked for again, at a fresh address, and charged once', { timeout: 30_000 }, async () => {
    const played = await cinema({ id: 'leaky' })
    const { maker, submit, caller, hurry, site } = played
    maker.file = (path) => ({ status: path.includes('signed-2') ? 200 : 404 })
    maker.address = () => '/files/signed-1.mp4'
    const id = await submit(maker)
    await referred(played, id)
    maker.finishAll()
    await hurry(id)
    await eventually(
      () => recordOf(site, id),
      ({ made, poll_at }) => made !== undefined && poll_at !== undefined,
    )
    expect(await caller.job(id)).toMatchObject({ status: 'in_progress', billing: { status: 'held' } })
    maker.address = () => '/files/signed-2.mp4'
    await hurry(id)
    expect(await caller.jobWhen(id)).toMatchObject({ status: 'completed', billing: { cost_usd: '0.040000000' } })
    expect(maker.files).toEqual(['/files/signed-1.mp4', '/files/signed-2.mp4'])
  })

  it('that has not come after a quarter of an hour is given up, with a clear word and without a charge', async () => {
    const played = await cinema({ id: 'leaky' })
    const { maker, submit, caller, hurry, site } = played
    maker.file = () => ({ status: 503 })
    const id = await submit(maker)
    await referred(played, id)
    maker.finishAll()
    await hurry(id)
    const { made } = await eventually(
      () => recordOf(site, id),
      ({ made, poll_at }) => made !== undefined && poll_at !== undefined,
    )
    const long_ago = new Date(Date.now() - 15 * 60_000)
    await site.services.store.jobs.updateOne({ _id: id }, { $set: { made: { ...made, at: long_ago } } } as never)
    await hurry(id)
    const job = await caller.jobWhen(id)
    expect(job).toMatchObject({ status: 'failed', error: { code: 'provider_error' }, billing: { status: 'released' } })
    expect(job.error?.message).toContain('could not be downloaded within 15 minutes')
    expect(await metrics(played)).toContain('switchyard_lost_files_total{provider="leaky"} 1')
    expect(await caller.credits()).toMatchObject({ available_usd: '10.000000000' })
  })
})

describe('a vendor that is too busy to take a film', () => {
  it('is asked again: the film waits in line, and is made once', { timeout: 30_000 }, async () => {
    const { maker, submit, caller, site } = await cinema({ id: 'full' })
    let refusals = 0
    maker.before = (method) => {
      if (method === 'POST' && refusals < 3) {
        refusals++
        return { status: 429, retry_after: '1' }
      }
      maker.finishAll()
      return undefined
    }
    const id = await submit(maker)
    expect(await caller.jobWhen(id, ended, 20_000)).toMatchObject({ status: 'completed' })
    expect(maker.films).toHaveLength(1)
    expect(await site.verify()).toMatchObject({ ok: true })
  })
})

describe('a router that dies while it submits', () => {
  async function interruptedAt(lost_answer: Playing['lost_answer'], taken: boolean) {
    const played = await cinema({ id: 'far', ...(lost_answer && { lost_answer }) })
    const { maker, submit, site } = played
    maker.before = (method) => (method === 'POST' ? 'silence' : undefined)
    const id = await submit(maker)
    await submitted(maker)
    if (!taken) maker.films.length = 0
    await played.caller.jobWhen(id, inProgress)
    await site.restart()
    const asked = () => maker.stub.seen.filter(({ method }) => method === 'POST').length
    maker.before = () => {
      maker.finishAll()
      return undefined
    }
    return { ...played, id, asked }
  }

  it('submits again where the vendor says that this is safe', async () => {
    const { caller, id, asked } = await interruptedAt('repeatable', true)
    expect(await caller.jobWhen(id)).toMatchObject({ status: 'completed' })
    expect(asked()).toBe(2)
  })

  it('looks the film up where the vendor can tell, and goes on with it', async () => {
    const { caller, id, asked, maker } = await interruptedAt('find', true)
    expect(await caller.jobWhen(id)).toMatchObject({ status: 'completed', billing: { cost_usd: '0.040000000' } })
    expect(asked()).toBe(1)
    expect(maker.stub.seen.map(({ path }) => path)).toContain(`/find/${id}`)
  })

  it('submits it where the vendor knows for certain that it never came', async () => {
    const { caller, id, asked } = await interruptedAt('find', false)
    expect(await caller.jobWhen(id)).toMatchObject({ status: 'completed' })
    expect(asked()).toBe(2)
  })

  it('gives the credit back and says so where nobody can tell', async () => {
    const { caller, id, asked } = await interruptedAt('unknown', true)
    const job = await caller.jobWhen(id)
    expect(job).toMatchObject({ status: 'failed', billing: { status: 'released' } })
    expect(job.error?.message).toContain('cannot know')
    expect(asked()).toBe(1)
    expect(await caller.credits()).toMatchObject({ available_usd: '10.000000000' })
  })
})
