// What is peculiar to Google's pictures and films: a key that goes to Google alone, films that go on from earlier ones, several
// pictures of a model that makes one, and a model that answers in words.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { PNG } from '../../fixtures/openai-compatible.ts'
import { type Caller, ended, eventually, type Job, Site } from '../../flow/site.ts'
import { film } from '../../media/samples.ts'
import { type Answer, json, type Seen, Stub } from '../stub.ts'

const stub = new Stub()
const stranger = new Stub()
let site: Site
let caller: Caller
let bytes: Uint8Array
beforeAll(async () => {
  bytes = await film()
  await stub.start()
  await stranger.start()
  site = await Site.open({ environment: { GEMINI_API_KEY: 'gm-key', GEMINI_BASE_URL: stub.url } })
})
afterAll(async () => {
  await site.close()
  await stub.stop()
  await stranger.stop()
})
beforeEach(async () => {
  stub.seen.length = 0
  caller = await site.caller('20')
})

async function jobOf(id: string): Promise<Job> {
  return eventually(async () => {
    const at = new Date()
    await site.services.store.jobs.updateMany({ poll_at: { $gt: at } }, { $set: { poll_at: at } })
    site.services.wake(at)
    return caller.job(id)
  }, ended)
}

const sent = (seen: Seen | undefined) => JSON.parse(String(seen?.body))

describe('a film of Omni', () => {
  const ask = { model: 'google/gemini-omni-1.1-flash', prompt: 'a train', seconds: 4 }
  const made = (uri: string) => ({
    id: 'v1_Chd',
    status: 'completed',
    steps: [{ type: 'model_output', content: [{ type: 'video', mime_type: 'video/mp4', uri }] }],
  })
  const submitted = () => stub.seen.filter(({ method }) => method === 'POST')

  /** Google's side: the work is done at once, and its file is where `uri` says. */
  const answers = (uri: string): Answer => {
    return (response, seen) => {
      const { path } = seen
      if (path.startsWith('/v1beta/interactions')) return json(made(uri))(response, seen)
      if (path === '/v1beta/files/abc:download?alt=media')
        return response.writeHead(302, { location: `${stub.url}/signed/film?sig=1` }).end()
      return path.startsWith('/signed/film') ? response.writeHead(200).end(bytes) : response.writeHead(404).end('{}')
    }
  }

  it('is fetched with the key where it lies, and without it where that leads', async () => {
    stub.answer = answers(`${stub.url}/v1beta/files/abc`)
    const { id } = await caller.json<{ id: string }>('/v1/videos', ask)
    const job = await jobOf(id)
    expect(job).toMatchObject({ status: 'completed', outputs: [{ media_type: 'video/mp4' }] })
    const keyOf = (path: string) => stub.seen.find((seen) => seen.path.startsWith(path))?.headers['x-goog-api-key']
    expect(keyOf('/v1beta/files/abc:download')).toBe('gm-key')
    expect(stub.seen.some(({ path }) => path.startsWith('/signed/film'))).toBe(true)
    expect(keyOf('/signed/film')).toBeUndefined()
    expect(JSON.stringify([job, await caller.json(`/v1/videos/${id}`)])).not.toMatch(/gm-key|signed|127\.0\.0\.1/)
  })

  it('at an address that is not Google’s never gets the key, and no private place is asked', async () => {
    stub.answer = answers(`${stranger.url}/v1beta/files/abc`)
    const { id } = await caller.json<{ id: string }>('/v1/videos', ask)
    expect(await jobOf(id)).toMatchObject({ status: 'failed', billing: { status: 'released' } })
    expect(stranger.seen).toEqual([])
  })

  it('goes on from an earlier one, and is changed, by what Google calls it', async () => {
    stub.answer = answers(`${stub.url}/signed/film`)
    const { id } = await caller.json<{ id: string }>('/v1/videos', ask)
    await jobOf(id)
    for (const [way, task] of [
      ['extend', 'extend'],
      ['remix', 'edit'],
    ]) {
      stub.seen.length = 0
      const next = await caller.json<{ id: string }>(`/v1/videos/${id}/${way}`, { prompt: 'it stops' })
      expect((await jobOf(next.id)).status).toBe('completed')
      expect(sent(submitted()[0])).toMatchObject({
        previous_interaction_id: 'v1_Chd',
        generation_config: { video_config: { task } },
        input: [{ type: 'text', text: 'it stops' }],
      })
    }
  })

  it('begins with a picture, or shows what is in some', async () => {
    stub.answer = answers(`${stub.url}/signed/film`)
    const picture = { image_url: `data:image/png;base64,${PNG}` }
    const image = { type: 'image', mime_type: 'image/png', data: expect.any(String) }
    const text = { type: 'text', text: 'a train' }
    for (const [fields, task, input] of [
      [{ input_reference: picture }, 'image_to_video', [image, text]],
      [{ references: [picture, picture] }, 'reference_to_video', [image, image, text]],
    ] as const) {
      stub.seen.length = 0
      const { id } = await caller.json<{ id: string }>('/v1/videos', { ...ask, ...fields })
      await jobOf(id)
      expect(sent(submitted()[0])).toMatchObject({ generation_config: { video_config: { task } }, input })
    }
  })

  it('is held for by the tokens of its resolution', async () => {
    const holds = ['360p', '720p', '1080p', '4k'].map(async (resolution) => {
      const { hold_usd } = await caller.json<{ hold_usd: string }>('/v1/estimate', {
        operation: 'video',
        ...ask,
        resolution,
      })
      return Number(hold_usd)
    })
    const [draft = 0, usual = 0, full = 0, most = 0] = await Promise.all(holds)
    // A second more of 2,000, 6,000, 9,000 and 18,000 tokens at 17.50 a million, for four seconds.
    expect([usual - draft, full - usual, most - full].map((each) => each.toFixed(2))).toEqual(['0.28', '0.21', '0.63'])
  })

  it('without sound is refused by the field’s name, as is a ratio that it does not make', async () => {
    const silent = await caller.send('/v1/videos', { ...ask, audio: false })
    expect([silent.status, silent.json.error.param]).toEqual([400, 'audio'])
    const square = await caller.send('/v1/videos', { ...ask, size: '720x720' })
    expect([square.status, square.json.error.param]).toEqual([400, 'size'])
    expect(stub.seen).toEqual([])
  })
})

describe('a picture of Gemini', () => {
  const ask = { model: 'google/gemini-2.5-flash-image', prompt: 'a heron' }
  const usageMetadata = {
    promptTokenCount: 10,
    candidatesTokenCount: 1304,
    candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1290 }],
    totalTokenCount: 1314,
  }
  const answer = (...parts: object[]) =>
    json({ candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }], usageMetadata })
  const painted = { inlineData: { mimeType: 'image/png', data: PNG } }

  it('is asked for as often as it is wanted, and all of them are paid', async () => {
    stub.answer = answer({ text: 'Here you are!' }, painted)
    const { json: body, cost_usd } = await caller.send('/v1/images/generations', { ...ask, n: 2 })
    expect(body.data.map(({ b64_json }: { b64_json: string }) => b64_json)).toEqual([PNG, PNG])
    expect(stub.seen.length).toBe(2)
    // Twice 10 tokens read, 14 written, 1,290 painted.
    expect(cost_usd).toBe('0.077476000')
  })

  it('is made of others, which go before the words', async () => {
    stub.answer = answer(painted)
    const images = [{ image_url: `data:image/png;base64,${PNG}` }]
    const { status } = await caller.send('/v1/images/edits', { ...ask, images })
    expect(status).toBe(200)
    expect(sent(stub.seen[0]).contents[0].parts).toMatchObject([
      { inlineData: { mimeType: 'image/png' } },
      { text: 'a heron' },
    ])
  })

  it('that turns out as words is free, and the caller reads them', async () => {
    stub.answer = answer({ text: 'Which heron do you mean? See https://example.test/herons' })
    const { status, json: body } = await caller.send('/v1/images/generations', ask)
    expect([status, body.error.code]).toEqual([400, 'invalid_request'])
    expect(body.error.message).toContain('Which heron do you mean? See [address]')
    expect((await caller.credits()).settled_usd).toBe('0.000000000')
  })

  it.each([
    ['quality', { quality: 'high' }],
    ['background', { background: 'transparent' }],
    ['size', { size: '4096x4096' }],
    ['aspect_ratio', { aspect_ratio: '7:1' }],
  ])('is refused for a %s that the model does not know, before anything is held', async (param, field) => {
    const { status, json: body } = await caller.send('/v1/images/generations', { ...ask, ...field })
    expect([status, body.error.param]).toEqual([400, param])
    expect(stub.seen).toEqual([])
  })
})
