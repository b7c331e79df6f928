// Streams and their readers: who leaves before the first byte pays nothing, who leaves after it finds the answer as a
// job, who cancels pays for what came, and no end but a whole one is charged.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseUsd } from '../../src/ledger/money.ts'
import { type Caller, chatBody, eventually, Site } from './site.ts'

let site: Site
beforeAll(async () => {
  site = await Site.open()
})
afterAll(() => site.close())

const nano = (usd: string | null) => parseUsd(usd ?? '') ?? -1n
const quiet = async (caller: Caller) =>
  eventually(
    () => caller.credits(),
    ({ held_usd }) => held_usd === '0.000000000',
  )

async function onlyJob(caller: Caller) {
  const { data } = await eventually(
    () => caller.json<{ data: { id: string }[] }>('/v1/jobs'),
    (list) => list.data.length > 0,
  )
  expect(data).toHaveLength(1)
  return data[0]?.id ?? ''
}

describe('a stream', () => {
  it('that is read to its end tells its cost in the last chunk, and that is charged', async () => {
    const caller = await site.caller('0.01')
    const stream = await caller.stream('Hello [[tokens:20]]')
    await stream.readUntil()
    expect(stream.text.trimEnd().endsWith('data: [DONE]')).toBe(true)
    const { usage } = stream.events.at(-1)
    expect(usage.completion_tokens).toBe(20)
    const { billing } = await caller.jobWhen(stream.job_id)
    expect(nano(billing.cost_usd)).toBe(BigInt(Math.round(usage.cost * 1e9)))
    expect((await quiet(caller)).settled_usd).toBe(billing.cost_usd)
  })

  it('whose reader leaves before the first byte is ended and free', async () => {
    const caller = await site.caller('0.01')
    const leaving = new AbortController()
    const asked = caller.request('/v1/chat/completions', chatBody('[[delay:30s]] Hello', { stream: true }), {
      signal: leaving.signal,
    })
    const id = await onlyJob(caller)
    leaving.abort()
    await expect(asked).rejects.toThrow()
    expect(await caller.jobWhen(id, undefined, 3000)).toMatchObject({
      status: 'canceled',
      error: { code: 'client_closed_request' },
      billing: { status: 'released', cost_usd: '0.000000000' },
    })
    expect(await quiet(caller)).toMatchObject({ available_usd: '0.010000000' })
  })

  it('whose reader leaves after the first byte goes on, is charged whole and can be read as a job', async () => {
    const caller = await site.caller('0.01')
    const stream = await caller.stream('[[delay:20ms]] [[tokens:40]] Hello')
    await stream.readUntil('content')
    stream.leave()
    const job = await caller.jobWhen(stream.job_id)
    expect(job).toMatchObject({ status: 'completed', usage: { meters: { output_tokens: 40 }, source: 'reported' } })
    const whole = await caller.chat('[[tokens:40]] Hello')
    const answer = await caller.json<typeof whole.json>(job.outputs[0]?.url ?? '')
    expect(answer.choices[0].message.content).toBe(whole.json.choices[0].message.content)
    expect(answer.choices[0].finish_reason).toBe(whole.json.choices[0].finish_reason)
    const { settled_usd } = await quiet(caller)
    expect(nano(settled_usd)).toBe(nano(job.billing.cost_usd) + nano(whole.cost_usd))
  })

  it('whose reader leaves at any byte is charged once or not at all, and never in between', {
    timeout: 60_000,
  }, async () => {
    const caller = await site.caller('1')
    const prompt = '[[delay:3ms]] [[tokens:12]] Hello'
    const whole = await caller.stream(prompt)
    await whole.readUntil()
    const { billing } = await caller.jobWhen(whole.job_id)
    let streams = 1n
    for (let length = 1; length < whole.text.length; length += 97) {
      const stream = await caller.stream(prompt)
      await stream.readLength(length)
      stream.leave()
      const job = await caller.jobWhen(stream.job_id)
      expect(job).toMatchObject({ status: 'completed', billing: { cost_usd: billing.cost_usd } })
      streams++
    }
    expect(nano((await quiet(caller)).settled_usd)).toBe(nano(billing.cost_usd) * streams)
  })

  it('that its owner cancels is charged for what came and for nothing more', async () => {
    const caller = await site.caller('0.01')
    const stream = await caller.stream('[[delay:30ms]] [[tokens:150]] Hello')
    await stream.readUntil('content')
    const canceled = await caller.json<{ status: string }>(`/v1/jobs/${stream.job_id}/cancel`, {})
    expect(canceled.status).toBe('canceled')
    await stream.readUntil()
    expect(stream.events.at(-1)).toMatchObject({ error: { code: 'canceled' } })
    expect(stream.text).not.toContain('[DONE]')
    const { billing, usage } = await caller.job(stream.job_id)
    expect(usage?.meters.output_tokens).toBeLessThan(100)
    expect(usage?.meters.output_tokens).toBeGreaterThan(0)
    expect(billing.status).toBe('settled')
    expect(await quiet(caller)).toMatchObject({ settled_usd: billing.cost_usd })
  })

  it('that its owner cancels before anything came is free', async () => {
    const caller = await site.caller('0.01')
    const asked = caller.chat('[[delay:30s]] Hello', { stream: true })
    const id = await onlyJob(caller)
    await caller.json(`/v1/jobs/${id}/cancel`, {})
    expect((await asked).status).toBe(499)
    expect(await quiet(caller)).toMatchObject({ available_usd: '0.010000000' })
    expect((await caller.job(id)).status).toBe('canceled')
  })

  it('is decided once when cancel and end race', { timeout: 60_000 }, async () => {
    const caller = await site.caller('1')
    let settled = 0n
    for (let turn = 0; turn < 25; turn++) {
      const stream = await caller.stream(`[[delay:1ms]] [[tokens:${turn + 1}]] Hello`)
      const canceling = caller.send(`/v1/jobs/${stream.job_id}/cancel`, {})
      await Promise.all([stream.readUntil(), canceling])
      const { status, billing } = await caller.jobWhen(stream.job_id)
      expect(['completed', 'canceled']).toContain(status)
      settled += nano(billing.cost_usd)
      expect(stream.text.includes('[DONE]')).toBe(status === 'completed')
    }
    expect(nano((await quiet(caller)).settled_usd)).toBe(settled)
  })

  it('that breaks off ends with an error and without an end marker, and is free', async () => {
    const caller = await site.caller('0.01')
    const stream = await caller.stream('[[cut]] [[tokens:50]] Hello')
    await stream.readUntil()
    expect(stream.events.at(-1)).toMatchObject({ error: { code: 'provider_error' } })
    expect(stream.text).not.toContain('[DONE]')
    expect(await caller.jobWhen(stream.job_id)).toMatchObject({ status: 'failed', billing: { status: 'released' } })
    expect(await quiet(caller)).toMatchObject({ available_usd: '0.010000000' })
  })

  it('that breaks off after its reader left is free too', async () => {
    const caller = await site.caller('0.01')
    const stream = await caller.stream('[[cut]] [[delay:20ms]] [[tokens:50]] Hello')
    await stream.readUntil('content')
    stream.leave()
    expect(await caller.jobWhen(stream.job_id)).toMatchObject({ status: 'failed', billing: { status: 'released' } })
    expect(await quiet(caller)).toMatchObject({ available_usd: '0.010000000' })
  })

  it('without usage is counted', async () => {
    const caller = await site.caller('0.01')
    const stream = await caller.stream('[[no-usage]] [[tokens:50]] Hello')
    await stream.readUntil()
    expect(stream.text).toContain('[DONE]')
    const { usage, billing } = await caller.jobWhen(stream.job_id)
    expect(usage?.source).toBe('counted')
    expect((await quiet(caller)).settled_usd).toBe(billing.cost_usd)
  })
})

describe('JSON', () => {
  it('whose reader leaves is ended and free', async () => {
    const caller = await site.caller('0.01')
    const leaving = new AbortController()
    const asked = caller.chat('[[delay:30s]] Hello', {}, { signal: leaving.signal })
    const id = await onlyJob(caller)
    leaving.abort()
    await expect(asked).rejects.toThrow()
    expect((await caller.jobWhen(id, undefined, 3000)).billing.status).toBe('released')
    expect(await quiet(caller)).toMatchObject({ available_usd: '0.010000000' })
  })
})

describe('a picture', () => {
  it('whose caller leaves is made, charged and kept', async () => {
    const caller = await site.caller('0.05')
    const leaving = new AbortController()
    const body = { model: 'sandbox/image', prompt: '[[delay:500ms]] a hill', size: '64x64' }
    const asked = caller.request('/v1/images/generations', body, { signal: leaving.signal })
    const id = await onlyJob(caller)
    leaving.abort()
    await expect(asked).rejects.toThrow()
    const job = await caller.jobWhen(id)
    expect(job).toMatchObject({ status: 'completed', billing: { cost_usd: '0.010000000' } })
    const file = await caller.request(job.outputs[0]?.url ?? '')
    expect(file.headers.get('content-type')).toBe('image/png')
    expect((await file.arrayBuffer()).byteLength).toBe(job.outputs[0]?.bytes)
  })
})

describe('an answer that was charged', () => {
  it('is kept for a caller who leaves while it is on its way', async () => {
    const caller = await site.caller('0.1')
    // More than the system's own buffers take in: what they have counts as delivered.
    const input = Array.from({ length: 2000 }, (_, index) => `hill ${index}`)
    const body = { model: 'sandbox/embed', input, dimensions: 3072 }
    const leaving = new AbortController()
    const answer = await caller.request('/v1/embeddings', body, { signal: leaving.signal })
    expect(answer.status).toBe(200)
    leaving.abort()
    const { id } = await caller.job(answer.headers.get('x-job-id') ?? '')
    const job = await caller.jobWhen(id, ({ outputs }) => outputs.length > 0)
    expect(job).toMatchObject({ status: 'completed', billing: { cost_usd: answer.headers.get('x-cost-usd') } })
    const kept = await caller.json<{ data: object[] }>(job.outputs[0]?.url ?? '')
    expect(kept.data).toHaveLength(2000)
  })

  it('is not kept for a caller who has it', async () => {
    const caller = await site.caller('0.1')
    const { job_id } = await caller.send('/v1/images/generations', {
      model: 'sandbox/image',
      prompt: 'x',
      size: '64x64',
    })
    const chat = await caller.chat('Hello')
    expect((await caller.job(job_id)).outputs).toEqual([])
    expect((await caller.job(chat.job_id)).outputs).toEqual([])
  })
})

describe('a stop', () => {
  it('lets streams end that can, ends the others with an error, frees them, and keeps no hold', async () => {
    const own = await Site.open()
    try {
      const caller = await own.caller('0.1')
      const short = await caller.stream('[[delay:20ms]] [[tokens:30]] Hello')
      const long = await caller.stream('[[delay:500ms]] [[tokens:150]] Hello')
      await Promise.all([short.readUntil('content'), long.readUntil('content')])
      const stopping = own.stop(2000)
      await Promise.all([short.readUntil(), long.readUntil(), stopping])
      expect(short.text).toContain('[DONE]')
      expect(long.text).not.toContain('[DONE]')
      expect(long.events.at(-1)).toMatchObject({ error: { message: expect.stringContaining('stopping') } })
      await own.restart()
      expect(await caller.job(long.job_id)).toMatchObject({ status: 'failed', billing: { status: 'released' } })
      const { billing } = await caller.job(short.job_id)
      expect(await caller.credits()).toMatchObject({ held_usd: '0.000000000', settled_usd: billing.cost_usd })
      expect(await own.verify()).toMatchObject({ ok: true, pending: 0 })
    } finally {
      await own.close()
    }
  })
})
