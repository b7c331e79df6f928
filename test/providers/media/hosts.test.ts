// Replicate and fal through the official openai SDK, and their webhooks through the whole router: files that go along,
// endpoints that change with them, fields that a model does not have; deliveries that are genuine, repeated, forged or stale.
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import OpenAI, { toFile } from 'openai'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { signWebhook } from '../../../src/protocols/standard_webhooks.ts'
import { REQUEST_ID, submitted } from '../../fixtures/fal.ts'
import { prediction } from '../../fixtures/replicate.ts'
import { type Caller, eventually, Site } from '../../flow/site.ts'
import { picture, wav } from '../../media/samples.ts'
import { type Seen, Stub } from '../stub.ts'
import { pricingDir } from './mapped_entries.ts'

const SECRET = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'
const PRICING_DIR = pricingDir(
  'replicate',
  `
[models."acme/paint-1"]
upstream = "acme/paint-1"
operation = "image"
[models."acme/paint-1".options]
input = { prompt = "prompt", images = { to = "image_input[]", max = 3 }, mask = "mask" }
output = { images = "output" }
[[models."acme/paint-1".prices]]
from = 2026-09-01
rates = [ { meter = "images", usd = "0.05" } ]
`,
)
const { publicKey, privateKey } = generateKeyPairSync('ed25519')

const stub = new Stub()
let site: Site
let caller: Caller
let client: OpenAI
let png: Buffer
/** What the host says of the work when it is looked at: done, or failed. */
let fails = false
/** Whether the host is done yet. */
let ready = true

const json = (seen: Seen | undefined) => JSON.parse(seen?.body.toString() ?? 'null')
const asked = (end: string) =>
  stub.seen.find(({ method, path }) => method === 'POST' && path.split('?')[0]?.endsWith(end))

function falSays({ method, path }: Seen): unknown {
  const result = { images: [{ url: `${stub.url}/files/picture` }], audio: { url: `${stub.url}/files/sound` } }
  if (path.startsWith('/.well-known')) return { keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig' }] }
  if (path.startsWith('/storage'))
    return { upload_url: `${stub.url}/uploads/1`, file_url: 'https://v3.fal.media/files/a/1.png' }
  if (method === 'PUT') return {}
  if (method === 'POST') return submitted('fal-ai/flux')
  if (!path.includes('/status')) return result
  return { status: ready ? 'COMPLETED' : 'IN_PROGRESS', request_id: REQUEST_ID, metrics: { inference_time: 1 } }
}

function replicateSays({ method, path }: Seen): unknown {
  if (path.endsWith('/files')) return { id: 'f', urls: { get: 'https://api.replicate.com/v1/files/f' } }
  if (method === 'POST' || !ready) return prediction()
  if (fails) return prediction({ status: 'failed', error: 'NSFW content detected. Try a different prompt.' })
  return prediction({ status: 'succeeded', output: `${stub.url}/files/picture`, metrics: { predict_time: 1 } })
}

beforeAll(async () => {
  png = await picture(256, 256).png().toBuffer()
  await stub.start()
  stub.answer = (response, seen) => {
    if (seen.path.startsWith('/files/')) return response.end(seen.path.endsWith('sound') ? wav : png)
    const replicate = seen.path.startsWith('/v1/')
    const said = replicate ? replicateSays(seen) : falSays(seen)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(said))
  }
  site = await Site.open({
    environment: {
      REPLICATE_API_TOKEN: 'r8_test',
      REPLICATE_BASE_URL: `${stub.url}/v1`,
      REPLICATE_WEBHOOK_SECRET: SECRET,
      FAL_KEY: 'id:secret',
      FAL_BASE_URL: stub.url,
      PUBLIC_URL: 'https://switchyard.test',
      PRICING_DIR,
    },
  })
  caller = await site.caller('20')
  client = new OpenAI({ baseURL: `${site.url}/v1`, apiKey: caller.key, maxRetries: 0 })
})
afterAll(async () => {
  await site.close()
  await stub.stop()
})
afterEach(() => {
  stub.seen.length = 0
  fails = false
  ready = true
})

describe('with the openai SDK', () => {
  it('makes pictures, and charges those that came', async () => {
    const before = await caller.credits()
    const { data } = await client.images.generate({
      model: 'replicate:black-forest-labs/flux-schnell',
      prompt: 'a heron',
      n: 2,
    })
    expect(data).toHaveLength(1)
    expect(Buffer.from(data?.[0]?.b64_json ?? '', 'base64').equals(png)).toBe(true)
    expect(json(asked('/predictions'))).toMatchObject({ input: { prompt: 'a heron', num_outputs: 2 } })
    const after = await caller.credits()
    expect(Number(after.settled_usd) - Number(before.settled_usd)).toBeCloseTo(0.003, 9)
  })

  it('edits a picture at the endpoint for that, and sends it along as data', async () => {
    const { data } = await client.images.edit({
      model: 'fal:black-forest-labs/flux-kontext-pro',
      prompt: 'in winter',
      image: await toFile(png, 'heron.png', { type: 'image/png' }),
    })
    expect(data).toHaveLength(1)
    const sent = asked('/fal-ai/flux-pro/kontext')
    expect(json(sent)).toEqual({
      prompt: 'in winter',
      num_images: 1,
      image_url: `data:image/png;base64,${png.toString('base64')}`,
    })
  })

  it('sends large files through the host’s own store', async () => {
    const noise = { type: 'gaussian' as const, mean: 128, sigma: 60 }
    const create = { width: 1250, height: 1200, channels: 3 as const, background: 'teal', noise }
    const image = await toFile(await sharp({ create }).png({ compressionLevel: 0 }).toBuffer(), 'noise.png', {
      type: 'image/png',
    })
    await client.images.edit({ model: 'fal:black-forest-labs/flux-kontext-pro', prompt: 'in winter', image })
    expect(json(asked('/storage/upload/initiate'))).toMatchObject({ content_type: 'image/png' })
    const upload = stub.seen.find(({ method }) => method === 'PUT')
    expect([upload?.path, upload?.headers.authorization]).toEqual(['/uploads/1', undefined])
    expect(upload?.body.subarray(1, 4).toString()).toBe('PNG')
    expect(json(asked('/fal-ai/flux-pro/kontext'))).toMatchObject({ image_url: 'https://v3.fal.media/files/a/1.png' })
    await client.images.edit({ model: 'acme/paint-1', prompt: 'in winter', image: [image, image] })
    expect(asked('/v1/files')?.headers['content-type']).toMatch(/^multipart\/form-data/)
    const stored = 'https://api.replicate.com/v1/files/f'
    expect(json(asked('/predictions'))).toMatchObject({ input: { image_input: [stored, stored] } })
  })

  it('sends a mask as hosts read it: white is painted anew', async () => {
    const image = await toFile(png, 'heron.png', { type: 'image/png' })
    const hole = await picture(256, 256).ensureAlpha(0).png().toBuffer()
    const mask = await toFile(hole, 'mask.png', { type: 'image/png' })
    await client.images.edit({ model: 'acme/paint-1', prompt: 'in winter', image, mask })
    const [, base64 = ''] = json(asked('/predictions')).input.mask.split(',')
    const { channels } = await sharp(Buffer.from(base64, 'base64')).stats()
    expect(channels[0]?.min).toBe(255)
  })

  it('refuses by name what a model does not have, before anything is held or asked', async () => {
    const film = { model: 'kling/kling-2.5-turbo-pro', prompt: 'a heron', seconds: '5' as never }
    const tail = { ...film, last_frame: `data:image/png;base64,${png.toString('base64')}` }
    await expect(client.videos.create({ ...film, size: '720x720' as never, seed: 4 } as never)).rejects.toMatchObject({
      status: 400,
      param: 'seed',
    })
    await expect(client.videos.create(tail as never)).rejects.toMatchObject({ status: 400, param: 'last_frame' })
    await expect(
      client.images.generate({ model: 'ideogram/ideogram-v3-quality', prompt: 'x', quality: 'high' }),
    ).rejects.toMatchObject({ status: 400, param: 'quality' })
    await expect(
      client.audio.speech.create({ model: 'hexgrad/kokoro-82m', voice: 'alloy', input: 'x' }),
    ).rejects.toMatchObject({ status: 400, param: 'voice' })
    expect(stub.seen).toEqual([])
  })

  it('answers the calls of the README', async () => {
    const readme = await readFile(join(import.meta.dirname, '..', '..', '..', 'README.md'), 'utf8')
    const [, section = ''] = /^## From Replicate or fal$(.*?)^## /ms.exec(readme) ?? []
    const calls = [...section.matchAll(/^curl \$URL(\S+)[^']*'([^']*)'/gm)]
    expect(calls).toHaveLength(2)
    for (const [, path = '', body = ''] of calls) {
      // Nobody listens there.
      const { webhook_url, ...asking } = JSON.parse(body)
      const { status, text } = await caller.send(`/v1${path}`, asking)
      expect([status, text]).toEqual([200, expect.stringContaining(path === '/videos' ? '"queued"' : 'outputs/0')])
      if (webhook_url === undefined) continue
      await caller.json(`/v1/jobs/${JSON.parse(text).id}/cancel`, {})
    }
  })

  it('speaks in a format that the model does not make', async () => {
    const sound = await client.audio.speech.create({
      model: 'hexgrad/kokoro-82m',
      voice: 'af_sky',
      input: 'All aboard',
    })
    expect(sound.headers.get('content-type')).toBe('audio/mpeg')
    expect((await sound.arrayBuffer()).byteLength).toBeGreaterThan(100)
  })
})

/** Queued work that its host has, and that is not looked at for an hour unless somebody hints. */
async function waiting(model: string): Promise<{ id: string; hook: string }> {
  ready = false
  const body = { model, prompt: 'a heron' }
  const { id } = await caller.json<{ id: string }>('/v1/images/generations', body, {
    headers: { prefer: 'respond-async' },
  })
  const { jobs } = site.services.store
  await caller.jobWhen(id, ({ status }) => status === 'in_progress')
  const poll_at = new Date(Date.now() + 3_600_000)
  const later = () => jobs.updateOne({ _id: id, ref: { $ne: null }, poll_at: { $exists: true } }, { $set: { poll_at } })
  await eventually(later, ({ matchedCount }) => matchedCount === 1)
  const fal = new URL(asked(body.model.includes('paint') ? '/predictions' : '/qwen-image')?.path ?? '', stub.url)
  const given = fal.searchParams.get('fal_webhook') ?? json(asked('/predictions')).webhook
  ready = true
  return { id, hook: new URL(given).pathname }
}

const deliver = (hook: string, body: string, headers: Record<string, string>) =>
  fetch(site.url + hook, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })

function replicateSigns(body: string, { at = Date.now(), secret = SECRET } = {}): Record<string, string> {
  return signWebhook([secret], { id: 'msg_1', timestamp: Math.floor(at / 1000), body })
}

function falSigns(body: string, { at = Date.now(), key = privateKey } = {}): Record<string, string> {
  const timestamp = String(Math.floor(at / 1000))
  const digest = createHash('sha256').update(body).digest('hex')
  const signature = sign(null, Buffer.from(`${REQUEST_ID}\nuser_1\n${timestamp}\n${digest}`), key).toString('hex')
  return {
    'x-fal-webhook-request-id': REQUEST_ID,
    'x-fal-webhook-user-id': 'user_1',
    'x-fal-webhook-timestamp': timestamp,
    'x-fal-webhook-signature': signature,
  }
}

const HOUR_MS = 3_600_000
const stranger = generateKeyPairSync('ed25519').privateKey

describe.each([
  {
    host: 'replicate',
    model: 'acme/paint-1',
    body: JSON.stringify(prediction({ status: 'succeeded', output: 'https://evil.test/x.png' })),
    cost_usd: '0.050000000',
    signs: replicateSigns,
    forged: (body: string) => replicateSigns(body, { secret: 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }),
  },
  {
    host: 'fal',
    model: 'qwen/qwen-image',
    body: JSON.stringify({ request_id: REQUEST_ID, gateway_request_id: REQUEST_ID, status: 'OK', payload: {} }),
    cost_usd: '0.020971520',
    signs: falSigns,
    forged: (body: string) => falSigns(body, { key: stranger }),
  },
])('a webhook of $host', ({ model, body, cost_usd, signs, forged }) => {
  it('makes the router look at once, and charges once however often it comes', async () => {
    const { id, hook } = await waiting(model)
    const before = Number((await caller.credits()).settled_usd)
    const answers = await Promise.all([1, 2, 3].map(() => deliver(hook, body, signs(body))))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    const job = await caller.jobWhen(id)
    expect(job).toMatchObject({ status: 'completed', billing: { status: 'settled', cost_usd } })
    expect((await deliver(hook, body, signs(body))).status).toBe(200)
    expect(Number((await caller.credits()).settled_usd) - before).toBeCloseTo(Number(cost_usd), 9)
  })

  it('is refused when it is forged, stale, changed, unsigned or for another job', async () => {
    const { id, hook } = await waiting(model)
    const looked = stub.seen.length
    const stale = signs(body, { at: Date.now() - HOUR_MS })
    const other = hook.replace(/job_\w+/, 'job_01M7YRRQ4KRM1EP7P1YBCPC3RA')
    const answers = await Promise.all([
      deliver(hook, body, forged(body)),
      deliver(hook, body, stale),
      deliver(hook, `${body} `, signs(body)),
      deliver(hook, body, {}),
      deliver(other, body, signs(body)),
    ])
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401])
    expect(await caller.job(id)).toMatchObject({ status: 'in_progress', billing: { status: 'held' } })
    expect(stub.seen.slice(looked).every(({ path }) => path.startsWith('/.well-known'))).toBe(true)
    await caller.json(`/v1/jobs/${id}/cancel`, {})
  })
})

it('believes the host and not a delivery that claims success', async () => {
  const { id, hook } = await waiting('acme/paint-1')
  fails = true
  const body = JSON.stringify(prediction({ status: 'succeeded', output: `${stub.url}/files/picture` }))
  expect((await deliver(hook, body, replicateSigns(body))).status).toBe(200)
  expect(await caller.jobWhen(id)).toMatchObject({
    status: 'failed',
    error: { code: 'content_policy_violation' },
    billing: { status: 'released' },
  })
})

it('leaves the books in order', async () => {
  expect(await site.verify()).toMatchObject({ ok: true, drift: [] })
})
