// /v1/webhooks on a real router with real receivers: every kind of work is told, accounts see only their own, a crash
// loses nothing, and addresses that lead inside are refused.
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Caller, eventually, Site } from '../flow/site.ts'
import { type Received, type Receiver, receiver } from '../support/receiver.ts'

const environment = { WEBHOOK_ALLOWED_HOSTS: '127.0.0.1' }
let site: Site
let place: Receiver
let caller: Caller
beforeAll(async () => {
  site = await Site.open({ environment })
})
afterAll(() => site.close())
beforeEach(async () => {
  place = await receiver()
  caller = await site.caller('5.00')
})
afterEach(() => place.close())

const verify = (secret: string, { body, headers }: Received) =>
  new Webhook(secret).verify(body, headers as Record<string, string>)
const add = async (body: object = {}) => (await caller.send('/v1/webhooks', { url: place.url, ...body })).json
const secretOf = async () => (await caller.json<{ secret: string }>('/v1/webhooks/secret')).secret
const refused = async (path: string, body?: unknown, method?: string) => {
  const { status, json } = await caller.send(path, body, method === undefined ? {} : { method })
  return [status, json.error?.code, json.error?.param]
}

function speechForm(fields: Record<string, string>): FormData {
  const wav = Buffer.alloc(44 + 16_000)
  wav.write('RIFF', 0)
  wav.writeUInt32LE(wav.length - 8, 4)
  wav.write('WAVEfmt ', 8)
  for (const [at, value] of [
    [16, 16],
    [24, 8000],
    [28, 16_000],
  ] as const)
    wav.writeUInt32LE(value, at)
  for (const [at, value] of [
    [20, 1],
    [22, 1],
    [32, 2],
    [34, 16],
  ] as const)
    wav.writeUInt16LE(value, at)
  wav.write('data', 36)
  wav.writeUInt32LE(16_000, 40)
  const form = new FormData()
  form.set('file', new Blob([wav]), 'sound.wav')
  for (const [name, value] of Object.entries(fields)) form.set(name, value)
  return form
}

describe('webhook_url', () => {
  it('tells the end of every kind of work, waited for or not', async () => {
    const webhook_url = place.url
    const chat = { model: 'sandbox/chat', max_tokens: 50, messages: [{ role: 'user', content: 'Hello' }] }
    const calls: [string, unknown, Record<string, string>?][] = [
      ['/v1/chat/completions', { ...chat, webhook_url }],
      ['/v1/chat/completions', { ...chat, webhook_url, stream: true }],
      ['/v1/chat/completions', { ...chat, webhook_url }, { prefer: 'respond-async' }],
      ['/v1/responses', { model: 'sandbox/chat', input: 'Hello', webhook_url }],
      ['/v1/messages', { ...chat, webhook_url }],
      ['/v1/completions', { model: 'sandbox/chat', prompt: 'Hello', max_tokens: 20, webhook_url }],
      ['/v1/embeddings', { model: 'sandbox/embed', input: 'rails', webhook_url }],
      ['/v1/images/generations', { model: 'sandbox/image', prompt: 'A train', size: '64x64', webhook_url }],
      [
        '/v1/images/generations',
        { model: 'sandbox/image', prompt: 'A train', webhook_url },
        { prefer: 'respond-async' },
      ],
      ['/v1/audio/speech', { model: 'sandbox/speech', voice: 'alloy', input: 'All aboard', webhook_url }],
      ['/v1/audio/transcriptions', speechForm({ model: 'sandbox/transcribe', webhook_url })],
      ['/v1/videos', { model: 'sandbox/video', prompt: 'A train', seconds: '4', webhook_url }],
    ]
    const ids: string[] = []
    for (const [path, body, headers] of calls) {
      const answer = await caller.send(path, body, headers ? { headers } : {})
      expect([path, answer.status, answer.text.slice(0, 200)]).toEqual([
        path,
        answer.status < 300 && answer.status,
        expect.anything(),
      ])
      ids.push(answer.job_id)
    }
    const received = await place.until(calls.length, 25_000)
    const secret = await secretOf()
    for (const each of received) expect(verify(secret, each)).toMatchObject({ type: 'job.completed' })
    expect(received.map(({ json }) => json.data.id).sort()).toEqual(ids.sort())
    expect(new Set(received.map(({ json }) => json.data.operation))).toEqual(
      new Set(['chat', 'embedding', 'image', 'speech', 'transcription', 'video']),
    )
    // It is the job as its owner sees it, settled, with files that can be fetched at once and without a key.
    const film = received.find(({ json }) => json.data.operation === 'video')?.json.data
    expect(film).toEqual(await caller.job(film.id))
    expect(film.billing.status).toBe('settled')
    const file = await fetch(site.url + film.outputs[0].url)
    expect([file.status, file.headers.get('content-type')]).toEqual([200, 'video/mp4'])
  })

  it('tells of failures and of cancels, and of a job that could not be paid', async () => {
    const webhook_url = place.url
    await caller.chat('[[fail:content_policy]]', { webhook_url })
    const film = await caller.send('/v1/videos', { model: 'sandbox/video', prompt: '[[delay:5s]]', webhook_url })
    await caller.send(`/v1/jobs/${film.json.id}/cancel`, {})
    const poor = await site.caller('0.000000001')
    expect((await poor.chat('Hello', { webhook_url })).status).toBe(402)
    const told = (await place.until(3)).map(({ json }) => [json.type, json.data.status, json.data.error?.code])
    expect(told.sort()).toEqual([
      ['job.canceled', 'canceled', 'canceled'],
      ['job.failed', 'failed', 'content_policy_violation'],
      ['job.failed', 'failed', 'insufficient_credits'],
    ])
  })

  it.each([
    [7, 'invalid_type'],
    ['', 'unsafe_url'],
    ['http://example.com/hook', 'unsafe_url'],
    ['https://10.0.0.1/hook', 'unsafe_url'],
    ['https://169.254.169.254/latest/meta-data', 'unsafe_url'],
    ['https://[::ffff:10.0.0.1]/', 'unsafe_url'],
    ['https://2130706434/', 'unsafe_url'],
    ['https://0x0a.1/', 'unsafe_url'],
    ['https://localhost/hook', 'unsafe_url'],
    ['https://1.1.1.1:6379/', 'unsafe_url'],
    ['https://user:password@example.com/', 'unsafe_url'],
    ['https://example.com\\@10.0.0.1/', 'unsafe_url'],
    ['file:///etc/passwd', 'unsafe_url'],
    [`https://example.com/${'x'.repeat(2100)}`, 'unsafe_url'],
  ])('%j is refused before anything is held, whoever gives it', async (webhook_url, code) => {
    const picture = { model: 'sandbox/image', prompt: 'A train', webhook_url }
    expect(await refused('/v1/images/generations', picture)).toEqual([400, code, 'webhook_url'])
    expect(await refused('/v1/videos', { model: 'sandbox/video', prompt: 'x', webhook_url })).toEqual([
      400,
      code,
      'webhook_url',
    ])
    if (code === 'unsafe_url')
      expect(await refused('/v1/webhooks', { url: webhook_url })).toEqual([
        400,
        webhook_url === '' ? 'invalid_value' : code,
        'url',
      ])
    expect((await caller.json<{ data: unknown[] }>('/v1/jobs')).data).toEqual([])
  })
})

describe('a webhook of the account', () => {
  it('is made with a secret that is shown once, and is told of every job from then on', async () => {
    const made = await caller.send('/v1/webhooks', { url: place.url, description: 'Ours' })
    expect(made.status).toBe(201)
    const { secret, ...view } = made.json
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(view).toEqual({
      id: expect.stringMatching(/^wh_/),
      object: 'webhook',
      url: place.url,
      events: ['job.completed', 'job.failed', 'job.canceled', 'job.expired'],
      description: 'Ours',
      disabled: false,
      disabled_reason: null,
      created_at: expect.any(Number),
    })
    expect((await caller.send(`/v1/webhooks/${view.id}`)).json).toEqual(view)
    const stored = await site.services.store.webhook_endpoints.findOne({ _id: view.id })
    expect(JSON.stringify(stored)).not.toContain(secret.slice(6, 20))
    const { job_id } = await caller.chat('Hello')
    const [delivery] = await place.until(1)
    expect(delivery && verify(secret, delivery)).toMatchObject({ data: { id: job_id } })
    expect(delivery?.headers['webhook-id']).toBe(`${job_id}:completed:${view.id}`)
  })

  it('is listed, changed, disabled and removed', async () => {
    const one = await add()
    const other = await add({ events: ['job.failed', 'job.failed'] })
    expect(other.events).toEqual(['job.failed'])
    const list = await caller.json<{ data: { id: string }[]; has_more: boolean }>('/v1/webhooks?limit=1')
    expect([list.data.map(({ id }) => id), list.has_more]).toEqual([[other.id], true])
    const patch = (id: string, body: object) => caller.send(`/v1/webhooks/${id}`, body, { method: 'PATCH' })
    const change = { events: ['job.completed'], description: 'x', url: `${place.url}/new` }
    expect((await patch(other.id, change)).json).toMatchObject(change)
    expect((await patch(one.id, { disabled: true })).json).toMatchObject({ disabled: true, disabled_reason: 'owner' })
    await caller.chat('Hello')
    expect((await place.until(1)).map(({ path }) => path)).toEqual(['/hook/new'])
    expect((await patch(one.id, { disabled: false })).json).toMatchObject({ disabled: false, disabled_reason: null })
    const gone = await caller.send(`/v1/webhooks/${one.id}`, undefined, { method: 'DELETE' })
    expect(gone.json).toEqual({ id: one.id, object: 'webhook.deleted', deleted: true })
    expect(await refused(`/v1/webhooks/${one.id}`)).toEqual([404, 'webhook_not_found', 'id'])
  })

  it('is its account’s alone, as are its deliveries', async () => {
    const { id } = await add()
    await caller.chat('Hello')
    const [delivery] = await place.until(1)
    const delivery_id = String(delivery?.headers['webhook-id'])
    caller = await site.caller('1.00')
    for (const [path, method] of [
      [`/v1/webhooks/${id}`, 'GET'],
      [`/v1/webhooks/${id}`, 'DELETE'],
      [`/v1/webhooks/${id}/rotate`, 'POST'],
      [`/v1/webhooks/deliveries/${delivery_id}`, 'GET'],
      [`/v1/webhooks/deliveries/${delivery_id}/redeliver`, 'POST'],
    ] as const)
      expect([path, (await refused(path, undefined, method))[0]]).toEqual([path, 404])
    expect((await refused(`/v1/webhooks/${id}`, { disabled: true }, 'PATCH'))[0]).toBe(404)
    expect((await caller.json<{ data: unknown[] }>('/v1/webhooks/deliveries')).data).toEqual([])
    expect((await caller.json<{ data: unknown[] }>('/v1/webhooks')).data).toEqual([])
  })

  it.each([
    [{}, 'url'],
    [{ url: 'https://example.com', events: [] }, 'events'],
    [{ url: 'https://example.com', events: ['job.started'] }, 'events.0'],
    [{ url: 'https://example.com', secret: 'mine' }, 'secret'],
    [{ url: 'https://example.com', description: 'x'.repeat(501) }, 'description'],
  ])('is not made from %j', async (body, param) => {
    const [status, , field] = await refused('/v1/webhooks', body)
    expect([status, field]).toEqual([400, param])
  })

  it('has at most nineteen others beside it', async () => {
    for (let n = 0; n < 20; n++) await add()
    expect(await refused('/v1/webhooks', { url: place.url })).toEqual([400, 'too_many_webhooks', null])
  })
})

describe('secrets', () => {
  it('of a webhook are rotated, and both sign for a day', async () => {
    const { id, secret } = await add()
    const rotated = (await caller.send(`/v1/webhooks/${id}/rotate`, undefined, { method: 'POST' })).json
    expect(rotated.secret).not.toBe(secret)
    expect(rotated.previous_expires_at - Date.now() / 1000).toBeGreaterThan(23.9 * 3600)
    await caller.chat('Hello')
    const [delivery] = (await place.until(1)) as [Received]
    expect([verify(secret, delivery), verify(rotated.secret, delivery)]).toHaveLength(2)
    expect((await caller.send(`/v1/webhooks/${id}/rotate`, { overlap_hours: 0 })).status).toBe(200)
    expect(await refused(`/v1/webhooks/${id}/rotate`, { overlap_hours: -1 })).toEqual([
      400,
      'invalid_value',
      'overlap_hours',
    ])
    await caller.chat('Hello')
    const last = (await place.until(2))[1] as Received
    expect(() => verify(secret, last)).toThrow()
  })

  it('of the account are the same until they are rotated, and are never another account’s', async () => {
    const [one, two] = await Promise.all([secretOf(), secretOf()])
    expect(one).toBe(two)
    const rotated = await caller.send('/v1/webhooks/secret/rotate', undefined, { method: 'POST' })
    expect(rotated.json.secret).not.toBe(one)
    expect((await caller.send('/v1/webhooks/secret')).json).toEqual(rotated.json)
    await caller.chat('Hello', { webhook_url: place.url })
    const [delivery] = (await place.until(1)) as [Received]
    expect([verify(one, delivery), verify(rotated.json.secret, delivery)]).toHaveLength(2)
    caller = await site.caller('1.00')
    expect([one, rotated.json.secret]).not.toContain(await secretOf())
  })
})

describe('deliveries', () => {
  const log = async (query = '') => (await caller.send(`/v1/webhooks/deliveries${query}`)).json

  it('are logged with every attempt, and filtered', async () => {
    const { id } = await add({ events: ['job.completed'] })
    place.answer = (response) => void response.writeHead(500).end()
    const first = await caller.chat('Hello')
    await caller.chat('[[fail:content_policy]]', { webhook_url: place.url })
    await place.until(2)
    const { data } = await eventually(log, ({ data }) =>
      data.every((each: { attempts: unknown[] }) => each.attempts.length === 1),
    )
    const completed = data.find(({ event }: { event: string }) => event === 'job.completed')
    expect(completed).toEqual({
      id: `${first.job_id}:completed:${id}`,
      object: 'webhook_delivery',
      job_id: first.job_id,
      event: 'job.completed',
      webhook_id: id,
      url: place.url,
      status: 'pending',
      attempts: [
        {
          at: expect.any(Number),
          ms: expect.any(Number),
          status: 500,
          error: 'The receiver answered with status 500.',
        },
      ],
      next_attempt_at: expect.any(Number),
      created_at: expect.any(Number),
      delivered_at: null,
    })
    expect((await caller.send(`/v1/webhooks/deliveries/${encodeURIComponent(completed.id)}`)).json).toEqual(completed)
    const count = async (query: string) => (await log(query)).data.length
    expect(await count('?event=job.failed')).toBe(1)
    expect(await count(`?webhook_id=${id}`)).toBe(1)
    expect(await count(`?job_id=${first.job_id}&status=pending`)).toBe(1)
    expect(await count('?status=delivered')).toBe(0)
    const page = await log('?limit=1')
    expect([page.has_more, (await log(`?limit=1&after=${page.last_id}`)).data[0].id]).toEqual([true, completed.id])
    expect(await refused('/v1/webhooks/deliveries?state=pending')).toEqual([400, 'unknown_parameter', 'state'])
  })

  it('are sent again on request, under the same id', async () => {
    await add()
    await caller.chat('Hello')
    const [first] = (await place.until(1)) as [Received]
    const id = String(first.headers['webhook-id'])
    await eventually(log, ({ data }) => data[0]?.status === 'delivered')
    const again = await caller.send(`/v1/webhooks/deliveries/${id}/redeliver`, undefined, { method: 'POST' })
    expect([again.status, again.json.id]).toEqual([202, id])
    const second = (await place.until(2))[1]
    expect([second?.headers['webhook-id'], second?.json]).toEqual([id, first.json])
    const { data } = await eventually(log, ({ data }) => data[0]?.attempts.length === 2)
    expect(data[0]).toMatchObject({ status: 'delivered', next_attempt_at: null })
  })

  it('of a job that was deleted say so, without its content', async () => {
    place.answer = (response) => void response.writeHead(500).end()
    await add()
    const { json } = await caller.send(
      '/v1/images/generations',
      { model: 'sandbox/image', prompt: 'A train', size: '64x64' },
      { headers: { prefer: 'respond-async' } },
    )
    await place.until(1)
    await caller.send(`/v1/jobs/${json.id}`, undefined, { method: 'DELETE' })
    place.answer = (response) => void response.writeHead(204).end()
    const { data } = await log()
    await caller.send(`/v1/webhooks/deliveries/${data[0].id}/redeliver`, undefined, { method: 'POST' })
    const last = (await place.until(2))[1]?.json.data
    expect([last.outputs[0].url, last.deleted_at]).toEqual([null, expect.any(Number)])
  })
})

describe('a router that dies', () => {
  it('before the outbox was written loses nothing: whoever finishes the job writes it', async () => {
    const { id } = await add()
    const { job_id } = await caller.chat('Hello')
    await place.until(1)
    const { store } = site.services
    await eventually(
      () => store.jobs.findOne({ _id: job_id }),
      (job) => job?.state === 'settled',
    )
    // As it would be had the router died between the decision and what follows it.
    await store.webhook_deliveries.deleteMany({ job_id })
    await store.jobs.updateOne({ _id: job_id }, { $set: { state: 'settling', 'lease.owner': 'rtr_dead' } } as never)
    await store.routers.insertOne({ _id: 'rtr_dead', started_at: new Date(0), alive_until: new Date(0) })
    await site.restart()
    await place.until(2)
    const sent = place.received.map(({ headers }) => headers['webhook-id'])
    expect(sent).toEqual([`${job_id}:completed:${id}`, `${job_id}:completed:${id}`])
    expect(await site.verify()).toMatchObject({ ok: true })
  })

  it('before it could send leaves the rest to the next', async () => {
    place.answer = (response) => void response.writeHead(500).end()
    const { secret } = await add()
    const { job_id } = await caller.chat('Hello')
    await place.until(1)
    await site.restart()
    place.answer = (response) => void response.writeHead(204).end()
    await site.services.store.webhook_deliveries.updateOne({ job_id }, { $set: { next_at: new Date() } })
    const last = (await place.until(2))[1] as Received
    expect(verify(secret, last)).toMatchObject({ type: 'job.completed' })
  })
})
