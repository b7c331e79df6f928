// Idempotency keys as callers use them: over every modality one key is one job and one charge, however often, however
// concurrently and over however broken a connection the request is sent.
import Anthropic from '@anthropic-ai/sdk'
import OpenAI, { APIError, toFile } from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expireOutputs } from '../../src/flow/worker/retention.ts'
import { type Caller, chatBody, eventually, Site, Stream } from './site.ts'

let site: Site
beforeAll(async () => {
  site = await Site.open()
})
afterAll(() => site.close())

let keys = 0
const withKey = (key: string, more: Record<string, string> = {}) => ({ headers: { 'idempotency-key': key, ...more } })
const freshKey = () => `key-${++keys}`
const jobsOf = (caller: Caller) => site.services.store.jobs.countDocuments({ account_id: caller.account_id })
const openaiOf = (caller: Caller, maxRetries = 0) =>
  new OpenAI({ baseURL: `${site.url}/v1`, apiKey: caller.key, maxRetries })

async function moneyOf(caller: Caller) {
  const { available_usd, held_usd, settled_usd } = await caller.credits()
  return { available_usd, held_usd, settled_usd }
}

/** Sent twice: the same status, body and job, one job and one charge. */
async function sentTwice(path: string, body: unknown, headers: Record<string, string> = {}) {
  const caller = await site.caller('1')
  const key = freshKey()
  const first = await caller.send(path, body, withKey(key, headers))
  // What is charged later is charged by then.
  if (first.job_id !== '' && first.status < 300) await caller.jobWhen(first.job_id)
  const charged = await moneyOf(caller)
  const second = await caller.send(path, body, withKey(key, headers))
  expect(second.status).toBe(first.status)
  expect(second.text).toBe(first.text)
  for (const name of ['x-job-id', 'x-cost-usd', 'content-type'])
    expect(second.headers.get(name)).toBe(first.headers.get(name))
  expect(first.headers.get('idempotent-replayed')).toBeNull()
  expect(second.headers.get('idempotent-replayed')).toBe('true')
  expect(second.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'))
  expect(await moneyOf(caller)).toEqual(charged)
  return { first, caller }
}

const message = { model: 'sandbox/chat', max_tokens: 200, messages: [{ role: 'user', content: 'Hello' }] }
const contents = [{ role: 'user', parts: [{ text: 'Hello' }] }]
const image = { model: 'sandbox/image', prompt: 'A boat', size: '64x64' }

describe('a request that is sent again under its Idempotency-Key', () => {
  const cases: [what: string, path: string, body: object, job: boolean][] = [
    ['a chat', '/v1/chat/completions', chatBody('Hello'), true],
    ['a stream of a chat', '/v1/chat/completions', chatBody('Hello', { stream: true }), true],
    ['a completion', '/v1/completions', { model: 'sandbox/chat', prompt: 'Hello', max_tokens: 50 }, true],
    ['a response', '/v1/responses', { model: 'sandbox/chat', input: 'Hello', max_output_tokens: 200 }, true],
    ['a streamed response', '/v1/responses', { model: 'sandbox/chat', input: 'Hello', stream: true }, true],
    ['a message', '/v1/messages', message, true],
    ['a streamed message', '/v1/messages', { ...message, stream: true }, true],
    ["Google's form of a chat", '/v1beta/models/sandbox/chat:generateContent', { contents }, true],
    ["Google's stream", '/v1beta/models/sandbox/chat:streamGenerateContent?alt=sse', { contents }, true],
    ['vectors', '/v1/embeddings', { model: 'sandbox/embed', input: 'Hello' }, true],
    ['a picture', '/v1/images/generations', image, true],
    ['a picture by its address', '/v1/images/generations', { ...image, response_format: 'url' }, true],
    ['a stream of pictures', '/v1/images/generations', { ...image, stream: true, partial_images: 1 }, true],
    ['a film', '/v1/videos', { model: 'sandbox/video', prompt: 'A boat', seconds: '4', size: '720x1280' }, true],
    ['speech', '/v1/audio/speech', { model: 'sandbox/speech', input: 'Hello', voice: 'alloy' }, true],
    [
      'streamed speech',
      '/v1/audio/speech',
      { model: 'sandbox/speech', input: 'Hello', voice: 'alloy', stream_format: 'sse' },
      true,
    ],
    ['a turn with a painter', '/v1/images/threads', image, true],
    ['an estimate', '/v1/estimate', { ...chatBody('Hello'), operation: 'chat' }, false],
  ]
  it.each(cases)('is answered alike and done once: %s', async (_what, path, body, job) => {
    const { first, caller } = await sentTwice(path, body)
    expect(first.status, first.text).toBeLessThan(300)
    expect(await jobsOf(caller)).toBe(job ? 1 : 0)
  })

  it('is accepted once where the job is asked for', async () => {
    const { first, caller } = await sentTwice('/v1/chat/completions', chatBody('Hello'), { prefer: 'respond-async' })
    expect(first.status).toBe(202)
    expect(await jobsOf(caller)).toBe(1)
  })

  it('is one though its form is sent with another boundary, as SDKs do', async () => {
    const caller = await site.caller('1')
    const client = openaiOf(caller)
    const speech = await client.audio.speech.create({ model: 'sandbox/speech', input: 'Hello', voice: 'alloy' })
    const sound = Buffer.from(await speech.arrayBuffer())
    const options = withKey(freshKey())
    const ask = async (bytes: Buffer) =>
      client.audio.transcriptions.create({ model: 'sandbox/transcribe', file: await toFile(bytes, 'a.mp3') }, options)
    const first = await ask(sound)
    expect(await ask(sound)).toEqual(first)
    expect(await jobsOf(caller)).toBe(2)
    const picture = Buffer.from(
      (await client.images.generate({ ...image, size: '64x64' as never })).data?.[0]?.b64_json ?? '',
      'base64',
    )
    const edit = async () =>
      client.images.edit(
        { model: 'sandbox/image', prompt: 'Red', image: await toFile(picture, 'a.png', { type: 'image/png' }) },
        withKey('edit'),
      )
    expect((await edit()).data).toEqual((await edit()).data)
    expect(await jobsOf(caller)).toBe(4)
    await expect(ask(Buffer.concat([sound, Buffer.from([0])]))).rejects.toMatchObject({ status: 422 })
  })

  it('is read by the SDKs as if it were the first answer, streams included', async () => {
    const caller = await site.caller('1')
    const client = openaiOf(caller)
    const options = withKey(freshKey())
    const read = async () => {
      const stream = await client.chat.completions.create({ ...chatBody('Hello'), stream: true } as never, options)
      let text = ''
      for await (const { choices } of stream as unknown as AsyncIterable<OpenAI.ChatCompletionChunk>)
        text += choices[0]?.delta.content ?? ''
      return text
    }
    const first = await read()
    expect(first.length).toBeGreaterThan(0)
    expect(await read()).toBe(first)
    const anthropic = new Anthropic({ baseURL: site.url, apiKey: caller.key, maxRetries: 0 })
    const say = () =>
      anthropic.messages.create({ ...message, messages: [{ role: 'user', content: 'Hello' }] }, withKey('claude'))
    expect(await say()).toEqual(await say())
    expect(await jobsOf(caller)).toBe(2)
  })

  it('gives large answers too', async () => {
    const { first } = await sentTwice('/v1/images/generations', { ...image, size: '1024x1024', n: 2 })
    expect(first.text.length).toBeGreaterThan(64 * 1024)
  })
})

describe('an Idempotency-Key', () => {
  it('makes one job of a hundred requests at once', async () => {
    const caller = await site.caller('1')
    const key = freshKey()
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => caller.chat('[[delay:300ms]] Hello', {}, withKey(key))),
    )
    const made = answers.filter(({ status, headers }) => status === 200 && !headers.has('idempotent-replayed'))
    expect(made).toHaveLength(1)
    const others = answers.filter((answer) => answer !== made[0])
    for (const { status, headers, json } of others) {
      if (status === 200) continue
      expect(status).toBe(409)
      expect(json.error.code).toBe('idempotency_key_in_use')
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect(await jobsOf(caller)).toBe(1)
  })

  it('lets an SDK that tries again wait for the first answer', async () => {
    const caller = await site.caller('1')
    const options = withKey(freshKey())
    const ask = () => openaiOf(caller, 5).chat.completions.create(chatBody('[[delay:500ms]] Hi') as never, options)
    const [first, second] = await Promise.all([ask(), ask()])
    expect(second).toEqual(first)
    expect(await jobsOf(caller)).toBe(1)
  })

  it('is refused for another request', async () => {
    const caller = await site.caller('1')
    const key = freshKey()
    await caller.chat('Hello', {}, withKey(key))
    const other = await caller.chat('Goodbye', {}, withKey(key))
    expect(other.status).toBe(422)
    expect(other.json.error).toMatchObject({ code: 'idempotency_key_reused', param: 'Idempotency-Key' })
    const elsewhere = await caller.send('/v1/completions', chatBody('Hello'), withKey(key))
    expect(elsewhere.status).toBe(422)
    expect(await jobsOf(caller)).toBe(1)
  })

  it('belongs to one account', async () => {
    const [ada, bob] = await Promise.all([site.caller('1'), site.caller('1')])
    const key = freshKey()
    const [hers, his] = await Promise.all([ada.chat('Hello', {}, withKey(key)), bob.chat('Hello', {}, withKey(key))])
    expect([hers.status, his.status]).toEqual([200, 200])
    expect(hers.job_id).not.toBe(his.job_id)
  })

  it.each([
    ['empty', ''],
    ['too long', 'k'.repeat(256)],
    ['not ASCII', 'schl\u00fcssel'],
  ])('is refused when it is %s', async (_what, key) => {
    const caller = await site.caller('1')
    const answer = await caller.chat('Hello', {}, withKey(key))
    expect(answer.status).toBe(400)
    expect(answer.json.error.param).toBe('Idempotency-Key')
    expect(await jobsOf(caller)).toBe(0)
  })

  it("repeats a refusal that is the caller's fault", async () => {
    const { first, caller } = await sentTwice('/v1/chat/completions', chatBody('Hello', { max_tokens: -1 }))
    expect(first.status).toBe(400)
    expect(await jobsOf(caller)).toBe(0)
    const failed = await sentTwice('/v1/chat/completions', chatBody('[[fail:content_policy]]'))
    expect(failed.first.status).toBe(400)
    expect(await jobsOf(failed.caller)).toBe(1)
    const streamed = await sentTwice('/v1/chat/completions', chatBody('[[fail:content_policy]]', { stream: true }))
    expect(streamed.first.status).toBe(400)
  })

  it.each(['overloaded', 'unavailable', 'rate_limit', 'timeout'])(
    'may be tried again after %s, as a fresh job',
    async (kind) => {
      const caller = await site.caller('1')
      const key = freshKey()
      const ask = () => caller.chat(`[[fail:${kind}]]`, {}, withKey(key))
      const [first, second] = [await ask(), await ask()]
      expect(first.status).toBeGreaterThanOrEqual(429)
      expect(second.headers.has('idempotent-replayed')).toBe(false)
      expect(second.job_id).not.toBe(first.job_id)
      expect((await caller.credits()).settled_usd).toBe('0.000000000')
    },
  )

  it('may be tried again when there is credit, and after a stream that broke off', async () => {
    const poor = await site.caller('0.000000001')
    const key = freshKey()
    expect((await poor.chat('Hello', {}, withKey(key))).status).toBe(402)
    expect((await poor.chat('Hello', {}, withKey(key))).headers.has('idempotent-replayed')).toBe(false)
    const caller = await site.caller('1')
    const ask = () => caller.chat('[[cut]] Hello, how are you today?', { stream: true }, withKey(key))
    const [first, second] = [await ask(), await ask()]
    expect(first.text).toContain('"error"')
    expect(second.headers.has('idempotent-replayed')).toBe(false)
    expect(await jobsOf(caller)).toBe(2)
  })

  it('may be tried again when an accepted job has failed, not when it was made', async () => {
    const caller = await site.caller('1')
    const film = (prompt: string) => ({ model: 'sandbox/video', prompt, seconds: '4', size: '720x1280' })
    const key = freshKey()
    const first = await caller.send('/v1/videos', film('[[fail:unavailable]]'), withKey(key))
    if (first.status === 200) await caller.jobWhen(first.job_id)
    const second = await caller.send('/v1/videos', film('[[fail:unavailable]]'), withKey(key))
    expect(second.headers.has('idempotent-replayed')).toBe(false)
    expect(second.job_id).not.toBe(first.job_id)
  })
})

describe('a caller who hangs up with a key', () => {
  it.each([[false], [true]])('gets the answer when he asks again (stream: %s)', async (stream) => {
    const caller = await site.caller('1')
    const key = freshKey()
    const body = chatBody('[[delay:300ms]] Hello', { stream })
    const leaving = new AbortController()
    const left = caller.request('/v1/chat/completions', body, { ...withKey(key), signal: leaving.signal })
    await eventually(
      () => jobsOf(caller),
      (count) => count === 1,
    )
    leaving.abort()
    await expect(left).rejects.toThrow()
    const again = await eventually(
      () => caller.send('/v1/chat/completions', body, withKey(key)),
      ({ status }) => status !== 409,
    )
    expect(again.status).toBe(200)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(await jobsOf(caller)).toBe(1)
  })

  it('gets the whole stream of which he saw the beginning', async () => {
    const caller = await site.caller('1')
    const key = freshKey()
    const body = chatBody('[[tokens:40]] [[delay:10ms]] Hello', { stream: true })
    const leaving = new AbortController()
    const stream = new Stream(
      await caller.request('/v1/chat/completions', body, { ...withKey(key), signal: leaving.signal }),
      leaving,
    )
    await stream.readLength(200)
    leaving.abort()
    const again = await eventually(
      () => caller.send('/v1/chat/completions', body, withKey(key)),
      ({ status }) => status !== 409,
    )
    expect(again.text.startsWith(stream.text)).toBe(true)
    expect(again.text.trimEnd().endsWith('data: [DONE]')).toBe(true)
    expect(await jobsOf(caller)).toBe(1)
  })
})

describe('an answer that is kept', () => {
  it('is erased with its job, and not made again', async () => {
    const caller = await site.caller('1')
    const key = freshKey()
    const { job_id } = await caller.chat('Hello', {}, withKey(key))
    await eventually(
      () => caller.send(`/v1/jobs/${job_id}`, undefined, { method: 'DELETE' }),
      ({ status }) => status < 300,
    )
    const again = await caller.chat('Hello', {}, withKey(key))
    expect(again.status).toBe(410)
    expect(again.json.error).toMatchObject({ code: 'idempotency_answer_gone', job_id })
    expect(await jobsOf(caller)).toBe(1)
  })

  it('goes when its time is over', async () => {
    const caller = await site.caller('1')
    const large = withKey(freshKey())
    const body = { ...image, size: '512x512', n: 4 }
    const first = await caller.send('/v1/images/generations', body, large)
    const { store, storage } = site.services
    const row = await store.idempotency.findOne({ job_id: first.job_id })
    expect(row?.erase_at?.getTime()).toBeGreaterThan(Date.now() + 47 * 3600_000)
    expect(await storage.open(row?.body_key ?? '').then((file) => file?.body.destroy())).toBeDefined()
    await store.idempotency.updateOne({ _id: row?._id ?? '' }, { $set: { erase_at: new Date(1) } })
    await expireOutputs(site.services)
    expect(await storage.open(row?.body_key ?? '')).toBeUndefined()
    expect((await caller.send('/v1/images/generations', body, large)).status).toBe(410)
  })

  it('is sealed in the store where it shows a secret', async () => {
    const { first, caller } = await sentTwice('/v1/webhooks', { url: 'https://93.184.216.34/hook' })
    expect(first.status).toBeLessThan(300)
    const row = await site.services.store.idempotency.findOne({ account_id: caller.account_id })
    expect(row?.state).toBe('kept')
    expect(first.json.secret).toMatch(/^whsec_/)
    expect(JSON.stringify(row)).not.toContain(first.json.secret)
  })

  it('outlives the router', async () => {
    const own = await Site.open()
    try {
      const caller = await own.caller('1')
      const first = await caller.chat('Hello', {}, withKey('stays'))
      await own.restart()
      const second = await caller.chat('Hello', {}, withKey('stays'))
      expect(second.text).toBe(first.text)
      expect(second.headers.get('idempotent-replayed')).toBe('true')
    } finally {
      await own.close()
    }
  })
})

describe('a key whose router died', () => {
  /** As if the router had died over the call: its row says that it runs, and what became of the job is in the store. */
  async function abandoned(change: (row_id: string, job_id: string) => Promise<unknown>) {
    const caller = await site.caller('1')
    const key = freshKey()
    const first = await caller.chat('Hello', {}, withKey(key))
    await site.services.ledger.flush()
    const { store } = site.services
    const row = await store.idempotency.findOne({ account_id: caller.account_id })
    await store.idempotency.updateOne(
      { _id: row?._id ?? '' },
      { $set: { state: 'running', router: 'rtr_dead', body: null } },
    )
    await change(row?._id ?? '', first.job_id)
    return { caller, first, again: () => caller.chat('Hello', {}, withKey(key)) }
  }

  it('does not let charged work be done again', async () => {
    const { again, first, caller } = await abandoned(async () => undefined)
    const second = await again()
    expect(second.status).toBe(410)
    expect(second.json.error.job_id).toBe(first.job_id)
    expect(await jobsOf(caller)).toBe(1)
  })

  it('may be used when its job was released', async () => {
    const error = { code: 'provider_error', type: 'server_error', message: '', param: null }
    const { again } = await abandoned((_row, job_id) =>
      site.services.store.jobs.updateOne(
        { _id: job_id },
        { $set: { cost: null, error, 'decision.status': 'failed', state: 'released' } },
      ),
    )
    const second = await again()
    expect(second.status).toBe(200)
    expect(second.headers.has('idempotent-replayed')).toBe(false)
  })

  it('may be used when there was no job yet', async () => {
    const { again } = await abandoned((_row, job_id) =>
      site.services.store.jobs.updateOne({ _id: job_id }, { $unset: { idempotency: '' } }),
    )
    expect((await again()).status).toBe(200)
  })

  it('waits while its job is open', async () => {
    const { again } = await abandoned((_row, job_id) =>
      site.services.store.jobs.updateOne({ _id: job_id }, { $set: { decision: null } }),
    )
    expect((await again()).status).toBe(409)
  })
})

it("is drawn by OpenAI's own SDK for its own tries, where that is told the header's name", async () => {
  class Client extends OpenAI {
    protected override idempotencyHeader = 'Idempotency-Key'
  }
  const caller = await site.caller('1')
  const client = new Client({ baseURL: `${site.url}/v1`, apiKey: caller.key, maxRetries: 0 })
  const options = { idempotencyKey: freshKey() }
  const ask = () => client.embeddings.create({ model: 'sandbox/embed', input: 'Hello' }, options)
  expect(await ask()).toEqual(await ask())
  expect(await jobsOf(caller)).toBe(1)
})

it('never lets an error of an SDK hide the code', async () => {
  const caller = await site.caller('1')
  const options = withKey(freshKey())
  await openaiOf(caller).chat.completions.create(chatBody('Hello') as never, options)
  const error = await openaiOf(caller)
    .chat.completions.create(chatBody('Goodbye') as never, options)
    .catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(APIError)
  expect(error).toMatchObject({ status: 422, code: 'idempotency_key_reused' })
})
