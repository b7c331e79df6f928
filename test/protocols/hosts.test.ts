// What Replicate and fal say beyond success: refusals, verdicts and hiccups told apart, nothing tried twice behind the
// router's back, callers' files sent to nobody else, keys of webhooks asked for sparingly.
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Asset, Call, ProviderError } from '../../src/contract.ts'
import { falQueue } from '../../src/protocols/fal/queue.ts'
import { falWebhook } from '../../src/protocols/fal/webhook.ts'
import type { Queue } from '../../src/protocols/input-map/generator.ts'
import { replicateQueue } from '../../src/protocols/replicate/predictions.ts'
import { makeProviderFetch } from '../../src/protocols/transport.ts'
import { REQUEST_ID, submitted } from '../fixtures/fal.ts'
import { LOGS, prediction } from '../fixtures/replicate.ts'
import { type Answer, json, Stub } from '../providers/stub.ts'

const stub = new Stub()
const fetch = makeProviderFetch({ provider: 'Acme' })
let replicate: Queue
let fal: Queue
beforeAll(async () => {
  await stub.start()
  replicate = replicateQueue({ base_url: `${stub.url}/v1`, api_token: 'r8_x', fetch })
  fal = falQueue({ base_url: stub.url, api_key: 'id:secret', fetch })
})
afterAll(async () => {
  await stub.stop()
  await fetch.close()
})
afterEach(() => {
  stub.seen.length = 0
})

const call = (more: Partial<Call> = {}): Call => ({
  job: 'job_1',
  upstream: 'acme/model-1',
  options: {},
  signal: new AbortController().signal,
  log: { debug: () => {}, warn: () => {} },
  ...more,
})
const failure = (work: Promise<unknown>): Promise<ProviderError> =>
  work.then(
    () => expect.unreachable('it did not fail'),
    (error: ProviderError) => error,
  )
const submit = (queue: Queue, upstream = 'acme/model-1', more: Partial<Call> = {}) =>
  queue.submit(upstream, { prompt: 'a cat' }, call(more))
const large = (bytes: number): Asset => ({ type: 'bytes', data: new Uint8Array(bytes), media_type: 'image/png' })

describe('Replicate', () => {
  const look = () => replicate.look({ id: 'p1' }, call())

  it.each<[string, Answer]>([
    ['500', json({ detail: 'Internal server error' }, 500)],
    ['429', json({ detail: 'Request was throttled.', status: 429, retry_after: 3 }, 429)],
    ['a broken connection', (response) => response.destroy()],
  ])('is asked once where its SDK would ask again: %s', async (_what, answer) => {
    stub.answer = answer
    await failure(look())
    await failure(submit(replicate))
    expect(stub.seen).toHaveLength(2)
  })

  it('tells how long to wait in the body', async () => {
    stub.answer = json({ detail: 'Request was throttled.', status: 429, retry_after: 3 }, 429)
    expect(await failure(submit(replicate))).toMatchObject({ kind: 'rate_limit', detail: { retry_after_ms: 3000 } })
  })

  it.each([
    ['canceled', 'unavailable'],
    ['aborted', 'unavailable'],
  ])('that %s work by itself has failed', async (status, kind) => {
    stub.answer = json(prediction({ status }))
    expect(await look()).toMatchObject({ state: 'failed', error: { kind } })
  })

  it.each([
    ['NSFW content detected. Try running it again, or try a different prompt.', 'content_policy'],
    ['The input or output was flagged as sensitive. Please try again with different inputs. (E005)', 'content_policy'],
    ['Prediction failed: CUDA out of memory', 'unavailable'],
    [null, 'unavailable'],
  ])('says why it failed: %s', async (error, kind) => {
    stub.answer = json(prediction({ status: 'failed', error }))
    expect(await look()).toMatchObject({ state: 'failed', error: { kind } })
  })

  it('tells how far it is by the bars in its log', async () => {
    stub.answer = json(prediction({ status: 'processing', logs: LOGS }))
    expect(await look()).toMatchObject({ state: 'pending', percent: 46 })
  })

  it('calls a state that nobody knows a bad response, and does not give the work up', async () => {
    stub.answer = json(prediction({ status: 'meditating' }))
    expect((await failure(look())).kind).toBe('bad_response')
  })

  it('is told where to deliver, where the site listens', async () => {
    stub.answer = json(prediction(), 201)
    await submit(replicate, 'acme/model-1:abc', { webhook_url: 'https://switchyard.test/hooks/1' })
    expect(JSON.parse(stub.seen[0]?.body.toString() ?? '')).toEqual({
      version: 'abc',
      input: { prompt: 'a cat' },
      webhook: 'https://switchyard.test/hooks/1',
      webhook_events_filter: ['completed'],
    })
    expect(replicate.webhook).toBeUndefined()
  })
})

describe('fal', () => {
  const ticket = { app: 'acme/model-1', id: REQUEST_ID }
  const look = () => fal.look(ticket, call())
  const completed =
    (result: Answer): Answer =>
    (response, seen) =>
      seen.path.includes('/status') ? json({ status: 'COMPLETED' })(response, seen) : result(response, seen)
  const detail = (type: string) => ({ detail: [{ loc: ['body'], msg: 'No.', type }] })

  it.each<[string, Answer, string]>([
    ['a policy', json(detail('content_policy_violation'), 422), 'content_policy'],
    ['an input', json(detail('image_too_small'), 422), 'invalid_request'],
    ['its own fault', json(detail('internal_server_error'), 500), 'unavailable'],
    ['a time that was too long', json(detail('generation_timeout'), 504), 'timeout'],
    ['a code in the header', json({}, 500, { 'x-fal-error-type': 'runner_error' }), 'unavailable'],
  ])('has failed when its result is %s', async (_what, result, kind) => {
    stub.answer = completed(result)
    expect(await look()).toMatchObject({ state: 'failed', error: { kind } })
  })

  it.each<[string, Answer, string]>([
    ['a gateway that stumbles', (response) => response.writeHead(502).end('<html>'), 'unavailable'],
    ['a limit', json({ detail: 'Too many requests' }, 429, { 'retry-after': '2' }), 'rate_limit'],
    ['a key that was changed', json({ detail: 'No user found' }, 401), 'authentication'],
  ])('has not failed because of %s on the way to its result', async (_what, result, kind) => {
    stub.answer = completed(result)
    expect((await failure(look())).kind).toBe(kind)
  })

  it('is looked for under the first two parts of an endpoint, three for workflows', async () => {
    stub.answer = json(submitted('x'))
    const tickets = ['acme/model-1/pro/text', 'workflows/acme/flow-1'].map((upstream) => submit(fal, upstream))
    expect(await Promise.all(tickets)).toMatchObject([
      { ticket: { app: 'acme/model-1' } },
      { ticket: { app: 'workflows/acme/flow-1' } },
    ])
  })

  it('is told where to deliver, where the site listens', async () => {
    stub.answer = json(submitted('x'))
    await submit(fal, 'acme/model-1', { webhook_url: 'https://switchyard.test/hooks/1?a=b' })
    expect(stub.seen[0]?.path).toBe('/acme/model-1?fal_webhook=https%3A%2F%2Fswitchyard.test%2Fhooks%2F1%3Fa%3Db')
  })

  it('need not be told twice to stop', async () => {
    stub.answer = json({ status: 'ALREADY_COMPLETED' }, 400)
    await fal.cancel(ticket, call())
    stub.answer = json({}, 500)
    expect((await failure(fal.cancel(ticket, call()))).kind).toBe('unavailable')
  })

  it('gets callers’ files at its own addresses only', async () => {
    stub.answer = json({ upload_url: 'http://127.0.0.1:9/take', file_url: 'https://v3.fal.media/files/a' })
    expect((await failure(fal.place(large(5 * 2 ** 20), call()))).kind).toBe('bad_response')
    expect(stub.seen).toHaveLength(1)
  })
})

describe('the keys of fal’s webhooks', () => {
  const pair = () => generateKeyPairSync('ed25519')
  const minute_ms = 60_000

  function signed(key: KeyObject, at: number, body = Buffer.from('{}')) {
    const timestamp = String(Math.floor(at / 1000))
    const digest = createHash('sha256').update(body).digest('hex')
    const message = Buffer.from(`r\nu\n${timestamp}\n${digest}`)
    return {
      body,
      headers: {
        'x-fal-webhook-request-id': 'r',
        'x-fal-webhook-user-id': 'u',
        'x-fal-webhook-timestamp': timestamp,
        'x-fal-webhook-signature': sign(null, message, key).toString('hex'),
      },
    }
  }

  it('are kept for a day, and asked for again for a new one at most every five minutes', async () => {
    const [old, fresh, stranger] = [pair(), pair(), pair()]
    const publish = (...keys: KeyObject[]) => {
      stub.answer = json({ keys: keys.map((key) => key.export({ format: 'jwk' })) })
    }
    let now = Date.now()
    const genuine = falWebhook({ base_url: stub.url, api_key: 'x', fetch }, () => now)
    publish(old.publicKey)
    expect(await genuine(signed(old.privateKey, now), call())).toBe(true)
    expect(await genuine(signed(old.privateKey, now), call())).toBe(true)
    expect(await genuine(signed(stranger.privateKey, now), call())).toBe(false)
    expect(stub.seen).toHaveLength(1)
    publish(old.publicKey, fresh.publicKey)
    expect(await genuine(signed(fresh.privateKey, now), call())).toBe(false)
    now += 6 * minute_ms
    expect(await genuine(signed(fresh.privateKey, now), call())).toBe(true)
    expect(stub.seen).toHaveLength(2)
    now += 25 * 60 * minute_ms
    expect(await genuine(signed(old.privateKey, now), call())).toBe(true)
    expect(stub.seen).toHaveLength(3)
  })

  it('that cannot be had accept nothing', async () => {
    stub.answer = json({}, 500)
    const genuine = falWebhook({ base_url: stub.url, api_key: 'x', fetch })
    expect((await failure(genuine(signed(pair().privateKey, Date.now()), call()))).kind).toBe('unavailable')
  })
})
