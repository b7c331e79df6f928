// Work that nobody waits for: queued by `Prefer: respond-async`, found as a job, alive after a restart, and worked by one
// router at a time.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseUsd } from '../../src/ledger/money.ts'
import { type Answer, type Caller, chatBody, ended, eventually, recordOf, Site } from './site.ts'

let site: Site
beforeAll(async () => {
  site = await Site.open()
})
afterAll(() => site.close())

const nano = (usd: string | null) => parseUsd(usd ?? '') ?? -1n
const respond_async = { headers: { prefer: 'respond-async' } }
const film = { model: 'sandbox/video', prompt: 'a hill', seconds: '4' }

async function transcriptionForm(): Promise<FormData> {
  const caller = await site.caller('1')
  const speech = { model: 'sandbox/speech', voice: 'alloy', input: 'Hello there', response_format: 'wav' }
  const sound = await (await caller.request('/v1/audio/speech', speech)).arrayBuffer()
  const form = new FormData()
  form.set('model', 'sandbox/transcribe')
  form.set('file', new Blob([sound], { type: 'audio/wav' }), 'hello.wav')
  return form
}

describe('respond-async', () => {
  it.each<[string, string, () => object | Promise<object>, string]>([
    ['chat', '/v1/chat/completions', () => chatBody('Hello'), 'application/json'],
    [
      'a picture',
      '/v1/images/generations',
      () => ({ model: 'sandbox/image', prompt: 'a hill', size: '64x64' }),
      'image/png',
    ],
    ['a film', '/v1/videos', () => film, 'video/mp4'],
    ['speech', '/v1/audio/speech', () => ({ model: 'sandbox/speech', voice: 'alloy', input: 'Hi' }), 'audio/mpeg'],
    ['a transcription', '/v1/audio/transcriptions', transcriptionForm, 'application/json'],
    ['an embedding', '/v1/embeddings', () => ({ model: 'sandbox/embed', input: 'Hello' }), 'application/json'],
  ])('queues %s, and its job tells the outcome, the file and the charge', async (_what, path, body, media_type) => {
    const caller = await site.caller('1')
    const accepted = await caller.send(path, await body(), respond_async)
    expect([accepted.status, accepted.text]).toEqual([202, expect.stringContaining('"status":"queued"')])
    expect(accepted.headers.get('location')).toBe(`/v1/jobs/${accepted.json.id}`)
    const job = await caller.jobWhen(accepted.json.id)
    expect(job).toMatchObject({ status: 'completed', billing: { status: 'settled' } })
    expect(nano(job.billing.cost_usd)).toBeGreaterThan(0n)
    const output = await caller.request(job.outputs[0]?.url ?? '')
    expect(output.headers.get('content-type')).toContain(media_type)
    expect((await output.arrayBuffer()).byteLength).toBe(job.outputs[0]?.bytes)
    expect((await caller.credits()).settled_usd).toBe(job.billing.cost_usd)
    expect(
      await eventually(
        () => recordOf(site, job.id),
        ({ state }) => state === 'settled',
      ),
    ).toMatchObject({ request: null })
  })

  it.each<[string, string, object]>([
    ['chat', '/v1/chat/completions', chatBody('[[fail:unavailable]]')],
    [
      'a picture',
      '/v1/images/generations',
      { model: 'sandbox/image', prompt: '[[fail:content_policy]]', size: '64x64' },
    ],
    ['a film', '/v1/videos', { ...film, prompt: '[[fail:internal]] a hill' }],
  ])('of %s that fails is free, and its job says why', async (_what, path, body) => {
    const caller = await site.caller('1')
    const { status, json } = await caller.send(path, body, respond_async)
    expect(status).toBe(202)
    const job = await caller.jobWhen(json.id)
    expect(job).toMatchObject({ status: 'failed', billing: { status: 'released', cost_usd: '0.000000000' } })
    expect(job.error?.message).toBeTruthy()
    expect(await caller.credits()).toMatchObject({ available_usd: '1.000000000' })
  })

  it('is refused like any call where the credit is missing, and its job is at rest', async () => {
    const caller = await site.caller('0.03')
    const refused = await caller.send('/v1/videos', film, respond_async)
    expect([refused.status, refused.json.error.code]).toEqual([402, 'insufficient_credits'])
    const { data } = await caller.json<{ data: { id: string }[] }>('/v1/jobs')
    expect(data).toHaveLength(1)
    expect(await caller.jobWhen(data[0]?.id ?? '')).toMatchObject({ status: 'failed', billing: { status: 'released' } })
  })

  it('of a large request keeps it until the job ends, and no longer', async () => {
    const caller = await site.caller('1')
    const body = chatBody('[[delay:300ms]] [[tokens:1]]', { metadata: {}, max_tokens: 1 })
    body.messages.unshift({ role: 'user', content: 'x'.repeat(1_200_000) })
    const { status, json } = await caller.send('/v1/chat/completions', body, respond_async)
    expect([status, json.error]).toEqual([202, null])
    const { request_key } = await recordOf(site, json.id)
    expect(request_key).toMatch(/request\.json$/)
    await caller.jobWhen(json.id)
    await eventually(
      async () => (await site.services.storage.open(request_key ?? '')) === undefined,
      (gone) => gone,
    )
  })
})

describe('a canceled job', () => {
  const cancel = (caller: Caller, { json }: Answer) => caller.json(`/v1/jobs/${json.id}/cancel`, {})

  it('is free between two polls, and its hold is back at once', async () => {
    const caller = await site.caller('0.04')
    const accepted = await caller.send('/v1/videos', { ...film, prompt: '[[delay:30s]] a hill' })
    await caller.jobWhen(accepted.json.id, ({ status }) => status === 'in_progress')
    expect(await cancel(caller, accepted)).toMatchObject({ status: 'canceled', billing: { status: 'released' } })
    expect(await caller.credits()).toMatchObject({ available_usd: '0.040000000', held_usd: '0.000000000' })
    expect((await recordOf(site, accepted.json.id)).state).toMatch(/releas/)
  })

  it('is ended once, whichever of cancel, poll and end comes first', { timeout: 60_000 }, async () => {
    const caller = await site.caller('1')
    const films = await Promise.all(Array.from({ length: 12 }, () => caller.send('/v1/videos', film)))
    await Promise.all(
      films.map(async (accepted, index) => {
        await new Promise((resolve) => setTimeout(resolve, 2900 + index * 50))
        await caller.send(`/v1/jobs/${accepted.json.id}/cancel`, {})
      }),
    )
    const jobs = await Promise.all(films.map(({ json }) => caller.jobWhen(json.id)))
    const made = jobs.filter(({ status }) => status === 'completed').length
    expect(jobs.filter(({ status }) => status === 'canceled')).toHaveLength(12 - made)
    expect(nano((await caller.credits()).settled_usd)).toBe(BigInt(made) * 40_000_000n)
    expect(await site.verify()).toMatchObject({ ok: true })
  })

  it('that has ended already stays as it is', async () => {
    const caller = await site.caller('1')
    const { job_id } = await caller.chat('Hello')
    expect(await caller.json(`/v1/jobs/${job_id}/cancel`, {})).toMatchObject({ status: 'completed' })
  })
})

describe('a restart', () => {
  it('loses no film: it is made, charged once, and can be fetched afterwards', { timeout: 60_000 }, async () => {
    const own = await Site.open()
    try {
      const caller = await own.caller('1')
      const waiting = await caller.send('/v1/videos', { ...film, prompt: '[[delay:1s]] waiting' })
      await caller.jobWhen(waiting.json.id, ({ status }) => status === 'in_progress')
      const fresh = await caller.send('/v1/videos', { ...film, prompt: 'fresh' })
      await own.restart()
      for (const { json } of [waiting, fresh]) {
        const job = await caller.jobWhen(json.id)
        expect(job).toMatchObject({ status: 'completed', billing: { cost_usd: '0.040000000' } })
        const file = await caller.request(`/v1/videos/${job.id}/content`)
        expect((await file.arrayBuffer()).byteLength).toBe(job.outputs[0]?.bytes)
      }
      expect(await caller.credits()).toMatchObject({ settled_usd: '0.080000000', held_usd: '0.000000000' })
      expect(await own.verify()).toMatchObject({ ok: true, pending: 0 })
    } finally {
      await own.close()
    }
  })
})

describe('a lease', () => {
  it('that was taken over refuses the late writes of the one before', async () => {
    const caller = await site.caller('1')
    const accepted = await caller.send('/v1/videos', { ...film, prompt: '[[delay:5s]] a hill' })
    const id: string = accepted.json.id
    await caller.jobWhen(id, ({ status }) => status === 'in_progress')
    const { lease } = await eventually(
      () => recordOf(site, id),
      ({ ref }) => ref !== null,
    )
    const late = { ref: { stolen: true }, percent: 99, polls: 77 }
    const write = (fence: number) => site.services.job_writes.change({ job_id: id, fence, set: late })
    expect(await write(lease.fence - 1)).toBe(false)
    expect(await recordOf(site, id)).not.toMatchObject({ polls: 77 })
    expect(await caller.jobWhen(id, ended)).toMatchObject({ status: 'completed' })
    expect(await write((await recordOf(site, id)).lease.fence)).toBe(false)
  })
})
