// Videos through the official SDK: queued, polled, fetched in ranges, listed, deleted; charged only when they are done.
import type OpenAI from 'openai'
import { toFile } from 'openai'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientOf, costOf, errorOf, eventually, get, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

let router: TestRouter
let client: OpenAI
beforeAll(async () => {
  router = await testRouter()
  client = clientOf(router)
})
afterAll(() => router.close())

const asked = { model: 'sandbox/video', prompt: 'a night train', seconds: '4' as const }

const ended = (id: string) =>
  eventually(async () => {
    const video = await client.videos.retrieve(id)
    return video.status === 'completed' || video.status === 'failed' ? video : undefined
  })

describe('/v1/videos', () => {
  it('makes a film that is polled to its end, played in ranges, listed and deleted', async () => {
    let id = ''
    const spent = await costOf(router, async () => {
      const { data: queued, response } = await client.videos.create({ ...asked, size: '1280x720' }).withResponse()
      id = queued.id
      expect(response.status).toBe(200)
      expect(Number(response.headers.get('openai-poll-after-ms'))).toBeGreaterThanOrEqual(500)
      expect(queued).toEqual({
        id: expect.stringMatching(/^job_/),
        object: 'video',
        model: 'sandbox/video',
        status: 'queued',
        progress: 0,
        created_at: expect.any(Number),
        completed_at: null,
        expires_at: null,
        error: null,
        prompt: asked.prompt,
        remixed_from_video_id: null,
        seconds: '4',
        size: '1280x720',
        usage: null,
        cost_usd: null,
      })
      const early = await errorOf(await get(router, `/videos/${id}/content`))
      expect(early).toMatchObject({ status: 409, code: 'job_not_finished' })
      expect((await get(router, `/videos/${id}/content`)).headers.get('x-should-retry')).toBe('false')
      expect(await ended(id)).toMatchObject({
        status: 'completed',
        progress: 100,
        error: null,
        usage: { seconds: 4, cost: 0.04 },
        cost_usd: '0.040000000',
      })
    })
    expect(spent).toBe('0.040000000')
    const film = await client.videos.downloadContent(id)
    const bytes = Buffer.from(await film.arrayBuffer())
    expect(film.headers.get('content-type')).toBe('video/mp4')
    expect(bytes.subarray(4, 8).toString()).toBe('ftyp')
    const part = await get(router, `/videos/${id}/content`, { range: 'bytes=4-7' })
    expect([part.status, await part.text()]).toEqual([206, 'ftyp'])
    const head = await fetch(`${router.base_url}/videos/${id}/content`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${router.api_key}` },
    })
    expect([head.status, Number(head.headers.get('content-length'))]).toEqual([200, bytes.length])
    expect(head.headers.get('content-disposition')).toBe(`inline; filename="${id}.mp4"`)
    expect((await client.videos.list({ limit: 1 })).data[0]?.id).toBe(id)
    expect(await client.videos.delete(id)).toEqual({ id, object: 'video.deleted', deleted: true })
    await expect(client.videos.retrieve(id)).rejects.toMatchObject({ status: 404 })
  })

  it('takes JSON, seconds as a number, and a first picture by every road', async () => {
    const png = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#f80' } })
      .png()
      .toBuffer()
    const image_url = `data:image/png;base64,${png.toString('base64')}`
    const response = await post(router, '/videos', { ...asked, seconds: 8, input_reference: { image_url } })
    expect(await response.json()).toMatchObject({ status: 'queued', seconds: '8', size: '720x1280' })
    const by_form = await client.videos.create({ ...asked, input_reference: { image_url } })
    const by_file = await client.videos.create({
      ...asked,
      input_reference: await toFile(png, 'a.png', { type: 'image/png' }),
    })
    for (const { id } of [by_form, by_file]) expect((await ended(id)).status).toBe('completed')
  })

  it('makes the shortest film where no length is named, and charges nothing for one that fails', async () => {
    const spent = await costOf(router, async () => {
      const refused = await client.videos.create({ model: 'sandbox/video', prompt: '[[fail:content_policy]] x' })
      expect(await ended(refused.id)).toMatchObject({ status: 'failed', error: { code: 'content_policy_violation' } })
      const video = await client.videos.create({ model: 'sandbox/video', prompt: '[[fail:unavailable]] x' })
      expect(video.seconds).toBe('4')
      expect(await ended(video.id)).toMatchObject({
        status: 'failed',
        error: { code: 'provider_error' },
        cost_usd: '0.000000000',
      })
      expect(await errorOf(await get(router, `/videos/${video.id}/content`))).toMatchObject({ status: 404 })
    })
    expect(spent).toBe('0.000000000')
  })

  it('shows a canceled job as failed with a code', async () => {
    const { id } = await client.videos.create(asked)
    await post(router, `/jobs/${id}/cancel`, {})
    expect(await ended(id)).toMatchObject({ status: 'failed', error: { code: 'canceled' }, completed_at: null })
  })

  it('answers 202 and the job to Prefer: respond-async', async () => {
    const response = await post(router, '/videos', asked, { prefer: 'respond-async' })
    expect([response.status, ((await response.json()) as { object: string }).object]).toEqual([202, 'job'])
  })

  it('refuses what it does not take, and names the field', async () => {
    const cases: [object, string][] = [
      [{ model: undefined }, 'model'],
      [{ prompt: '' }, 'prompt'],
      [{ seconds: 'long' }, 'seconds'],
      [{ seconds: 5 }, 'seconds'],
      [{ size: '640x480' }, 'size'],
      [{ size: '1280x720', aspect_ratio: '9:16' }, 'aspect_ratio'],
      [{ size: '1280x720', resolution: '1080p' }, 'resolution'],
      [{ aspect_ratio: 'wide' }, 'aspect_ratio'],
      [{ aspect_ratio: '21:9' }, 'aspect_ratio'],
      [{ resolution: 'large' }, 'resolution'],
      [{ resolution: '4k' }, 'resolution'],
      [{ audio: 'loud' }, 'audio'],
      [{ audio: true }, 'audio'],
      [{ seed: -1 }, 'seed'],
      [{ negative_prompt: 'rain' }, 'negative_prompt'],
      [{ last_frame: 'nowhere' }, 'last_frame'],
      [{ references: Array.from({ length: 5 }, () => 'data:image/png;base64,iVBORw0KGgo=') }, 'references'],
      [{ input_reference: { file_id: 'file_1' } }, 'input_reference'],
      [{ input_reference: 'data:image/png;base64,f0VMRgIB' }, 'input_reference'],
      [{ lens: 'wide' }, 'lens'],
    ]
    for (const [change, param] of cases) {
      const error = await errorOf(await post(router, '/videos', { ...asked, ...change }))
      expect([400, 415], JSON.stringify(error)).toContain(error.status)
      expect(error).toMatchObject({ param })
    }
    expect(await errorOf(await get(router, '/videos/job_none'))).toMatchObject({ status: 404 })
    expect(await errorOf(await get(router, '/videos?limit=0'))).toMatchObject({ status: 400, param: 'limit' })
  })
})
