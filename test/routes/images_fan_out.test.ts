// More pictures than a provider makes at once: several calls, one job, one charge for what was made.
import type OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Site } from '../flow/site.ts'
import { openStudio, paintersAt, plate, type Studio, tell } from '../painters/site.ts'
import { Stub } from '../providers/stub.ts'
import { clientOf, costOf, errorOf, eventually, get, post } from '../support/client.ts'

let studio: Studio
let client: OpenAI
let png: string
beforeAll(async () => {
  studio = await openStudio()
  client = clientOf(studio.router)
  png = await plate(64, 64)
})
beforeEach(() => {
  studio.stub.seen.length = 0
})
afterAll(() => studio.close())

const asked = { model: 'pairs/plain', prompt: 'a heron', size: '64x64' as '1024x1024' }
const made = (n: number) => ({ status: 'done' as const, images: Array.from({ length: n }, () => ({ b64: png })) })
const callOf = ({ job }: { job: string }) => Number(job.split('.')[1])
interface JobView {
  id: string
  status: string
  outputs: { url: string }[]
  billing: { hold_usd: string; cost_usd: string }
  partial?: { asked: number; made: number; errors: { code: string }[] }
}
const jobOf = async (path: string) => (await (await get(studio.router, path)).json()) as JobView
const ended = (id: string) =>
  eventually(async () => {
    const job = await jobOf(`/jobs/${id}`)
    return job.status === 'queued' || job.status === 'in_progress' ? undefined : job
  })

describe('several calls for one request', () => {
  it('share the pictures out, each under an id of its own, and are charged together', async () => {
    studio.tell((_, { n }) => made(n))
    const spent = await costOf(studio.router, async () => {
      const answer = await client.images.generate({ ...asked, n: 5 })
      expect(answer.data).toHaveLength(5)
      expect(answer).not.toHaveProperty('partial')
    })
    expect(spent).toBe('0.053000000')
    const calls = studio.asked()
    expect(calls.map(({ n }) => n).sort()).toEqual([1, 2, 2])
    expect(new Set(calls.map(({ job }) => job)).size).toBe(3)
    expect(calls.every(({ job }) => /^job_\w+\.[123]$/.test(job))).toBe(true)
  })

  it('are not made where one is enough, which goes under the job’s own id', async () => {
    studio.tell((_, { n }) => made(n))
    expect((await client.images.generate({ ...asked, n: 2 })).data).toHaveLength(2)
    expect(studio.asked()).toHaveLength(1)
    expect(studio.asked()[0]?.job).toMatch(/^job_\w+$/)
  })

  it('are at most four at a time', async () => {
    let now = 0
    let most = 0
    studio.tell(async (_, { n }) => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setTimeout(resolve, 20))
      now--
      return made(n)
    })
    expect((await client.images.generate({ ...asked, n: 10 })).data).toHaveLength(10)
    expect(most).toBe(4)
  })

  it('hold what all of them could cost, and say so beforehand', async () => {
    const estimate = await post(studio.router, '/estimate', { operation: 'image', ...asked, n: 5 })
    expect(await estimate.json()).toMatchObject({ hold_usd: '0.053000000' })
    expect(
      await errorOf(await post(studio.router, '/images/generations', { ...asked, n: 5, max_cost_usd: '0.05' })),
    ).toMatchObject({ status: 400, code: 'max_cost_exceeded' })
    expect(studio.asked()).toHaveLength(0)
  })
})

describe('a part that fails', () => {
  it('costs nothing and is told, while the others are delivered and charged', async () => {
    studio.tell((_, call) => (callOf(call) === 2 ? { status: 'failed', kind: 'content_policy' } : made(call.n)))
    const spent = await costOf(studio.router, async () => {
      const { data: answer, response } = await client.images.generate({ ...asked, n: 5 }).withResponse()
      expect(answer.data).toHaveLength(3)
      expect(answer).toMatchObject({ partial: { asked: 5, made: 3, errors: [{ code: 'content_policy_violation' }] } })
      const job = await jobOf(`/jobs/${response.headers.get('x-job-id')}`)
      expect(job.partial).toMatchObject({ asked: 5, made: 3 })
      expect(job.billing).toMatchObject({ hold_usd: '0.053000000', cost_usd: '0.032000000' })
    })
    expect(spent).toBe('0.032000000')
  })

  it('is asked once more where the provider was only busy', async () => {
    const tries: number[] = []
    studio.tell((_, call) => {
      tries.push(callOf(call))
      const busy = callOf(call) === 1 && tries.filter((each) => each === 1).length === 1
      return busy ? { status: 'failed', kind: 'overloaded' } : made(call.n)
    })
    expect((await client.images.generate({ ...asked, n: 4 })).data).toHaveLength(4)
    expect(tries.sort()).toEqual([1, 1, 2])
  })

  it('like all the others is the failure of the whole, and free', async () => {
    studio.tell(() => ({ status: 'failed', kind: 'content_policy' }))
    const spent = await costOf(studio.router, async () => {
      await expect(client.images.generate({ ...asked, n: 5 })).rejects.toMatchObject({
        status: 400,
        code: 'content_policy_violation',
      })
    })
    expect(spent).toBe('0.000000000')
  })
})

describe('work that takes its time', () => {
  /** Ready at the third look. */
  const slowly = () => {
    const looks = new Map<string, number>()
    studio.tell((path, { job, n, ...rest }) => {
      if (path === '/start') return { status: 'pending', ref: { job, n } }
      const { ref } = rest as unknown as { ref: { job: string; n: number } }
      const seen = (looks.get(ref.job) ?? 0) + 1
      looks.set(ref.job, seen)
      if (ref.job.endsWith('.3') && seen > 1) return { status: 'failed', kind: 'unavailable' }
      return seen < 3 ? { status: 'pending', ref, percent: 30 * seen } : made(ref.n)
    })
  }

  it('is polled part by part while the caller waits', async () => {
    slowly()
    const spent = await costOf(studio.router, async () => {
      const answer = await client.images.generate({ ...asked, n: 5 })
      expect(answer.data).toHaveLength(4)
      expect(answer).toMatchObject({ partial: { asked: 5, made: 4 } })
    })
    expect(spent).toBe('0.042000000')
  })

  it('survives polls that fail, of one call as of several, and is given up where all of them do', async () => {
    const looks = new Map<string, number>()
    studio.tell((path, { job, n, prompt, ...rest }) => {
      if (path === '/start') return { status: 'pending', ref: { job, n, lost: prompt === 'a lost heron' } }
      const { ref } = rest as unknown as { ref: { job: string; n: number; lost: boolean } }
      const seen = (looks.get(ref.job) ?? 0) + 1
      looks.set(ref.job, seen)
      // The second part is ready a look before the first, and is then fetched once more, which fails once.
      const fails = ref.job.endsWith('.2') ? seen === 2 : seen === 1
      return ref.lost || fails ? { status: 'failed', kind: 'overloaded' } : made(ref.n)
    })
    const [one, several, lost] = await Promise.allSettled([
      client.images.generate({ ...asked, n: 2 }),
      client.images.generate({ ...asked, n: 4 }),
      client.images.generate({ ...asked, prompt: 'a lost heron' }),
    ])
    expect(one).toMatchObject({ status: 'fulfilled', value: { data: [{}, {}] } })
    expect(several).toMatchObject({ status: 'fulfilled', value: { data: [{}, {}, {}, {}] } })
    expect(lost).toMatchObject({ status: 'rejected', reason: { status: 503 } })
    expect(studio.stub.seen.filter(({ path }) => path === '/cancel')).toHaveLength(1)
  })

  it('is told to stop when its waiting caller cancels the job', async () => {
    studio.tell(() => ({ status: 'pending', ref: 'r' }))
    const spent = await costOf(studio.router, async () => {
      const answer = post(studio.router, '/images/generations', asked)
      const id = await eventually(async () => studio.asked()[0]?.job)
      await post(studio.router, `/jobs/${id}/cancel`, {})
      expect(await errorOf(await answer)).toMatchObject({ code: 'canceled' })
      expect(studio.stub.seen.filter(({ path }) => path === '/cancel')).toHaveLength(1)
    })
    expect(spent).toBe('0.000000000')
  })

  it('is polled by the worker for who does not wait, and kept', async () => {
    slowly()
    const spent = await costOf(studio.router, async () => {
      const response = await post(studio.router, '/images/generations', { ...asked, n: 5 }, { prefer: 'respond-async' })
      expect(response.status).toBe(202)
      const { id } = (await response.json()) as JobView
      const job = await ended(id)
      expect(job).toMatchObject({ status: 'completed', partial: { asked: 5, made: 4 } })
      expect(job.outputs).toHaveLength(4)
      expect(studio.asked()).toHaveLength(3)
    })
    expect(spent).toBe('0.042000000')
  })

  it('is told to stop part by part when its job is canceled, and is free', async () => {
    studio.tell((path, { job }) =>
      path === '/start' ? { status: 'pending', ref: job } : { status: 'pending', ref: job },
    )
    const spent = await costOf(studio.router, async () => {
      const response = await post(studio.router, '/images/generations', { ...asked, n: 4 }, { prefer: 'respond-async' })
      const { id } = (await response.json()) as JobView
      await eventually(async () => (studio.stub.seen.some(({ path }) => path === '/poll') ? true : undefined))
      await post(studio.router, `/jobs/${id}/cancel`, {})
      expect((await ended(id)).status).toBe('canceled')
      const stopped = await eventually(async () => {
        const seen = studio.stub.seen.filter(({ path }) => path === '/cancel')
        return seen.length === 2 ? seen : undefined
      })
      expect(stopped.map(({ body }) => (JSON.parse(body.toString()) as { ref: string }).ref).sort()).toEqual([
        `${id}.1`,
        `${id}.2`,
      ])
    })
    expect(spent).toBe('0.000000000')
  })
})

describe('a router that stops', () => {
  it('in the middle of several calls finds each of them again, and asks for none twice', async () => {
    const stub = await new Stub().start()
    let ready = false
    tell(stub, (path, { job, n, ...rest }) => {
      if (path === '/start') return { status: 'pending', ref: { job, n } }
      const { ref } = rest as unknown as { ref: { job: string; n: number } }
      // The first part is done before the stop, and its picture is asked for again at the end.
      return ready || ref.job.endsWith('.1') ? made(ref.n) : { status: 'pending', ref }
    })
    const site = await Site.open({ environment: paintersAt(stub) })
    try {
      const caller = await site.caller('1.00')
      const headers = { prefer: 'respond-async' }
      const { json } = await caller.send('/v1/images/generations', { ...asked, n: 5 }, { headers })
      await eventually(async () => (stub.seen.some(({ path }) => path === '/poll') ? true : undefined))
      await site.restart()
      ready = true
      const job = await eventually(async () => {
        const now = await caller.send(`/v1/jobs/${json.id}`)
        return now.json.status === 'completed' ? now.json : undefined
      })
      expect(job.outputs).toHaveLength(5)
      expect(job.billing.cost_usd).toBe('0.053000000')
      expect(job.partial).toBeUndefined()
      expect(stub.seen.filter(({ path }) => path === '/start')).toHaveLength(3)
      expect(await site.verify()).toMatchObject({ ok: true })
    } finally {
      await site.close()
      await stub.stop()
    }
  })
})

describe('a caller who hung up', () => {
  it('finds all the pictures with the job', async () => {
    const leaving = new AbortController()
    studio.tell(async (_, { n }) => {
      leaving.abort()
      await new Promise((resolve) => setTimeout(resolve, 150))
      return made(n)
    })
    const spent = await costOf(studio.router, async () => {
      await expect(client.images.generate({ ...asked, n: 4 }, { signal: leaving.signal })).rejects.toThrow()
      const job = await eventually(async () => {
        const { data } = (await (await get(studio.router, '/jobs?limit=1')).json()) as { data: JobView[] }
        return data[0]?.outputs.length === 4 ? data[0] : undefined
      })
      expect((await get(studio.router, (job.outputs[3]?.url ?? '').replace('/v1', ''))).status).toBe(200)
    })
    expect(spent).toBe('0.042000000')
  })
})

describe('a stream of several calls', () => {
  it('has a final event for each picture, the cost and what is missing with the last', async () => {
    studio.tell((_, call) => (callOf(call) === 3 ? { status: 'failed', kind: 'content_policy' } : made(call.n)))
    const events = []
    const stream = await client.images.generate({ ...asked, n: 5, stream: true, partial_images: 2 })
    for await (const event of stream) events.push(event)
    expect(events.map(({ type }) => type)).toEqual(Array.from({ length: 4 }, () => 'image_generation.completed'))
    expect(events[0]).not.toHaveProperty('usage')
    expect(events[3]).toMatchObject({ usage: { cost: 0.042 }, partial: { asked: 5, made: 4 } })
  })
})
