// Films made of others, their stills, and their end: by the sandbox, and by a provider of OpenAI's own format.
import type OpenAI from 'openai'
import { toFile } from 'openai'
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { expireOutputs } from '../../src/flow/worker/retention.ts'
import { json } from '../providers/stub.ts'
import { clientOf, costOf, errorOf, eventually, get, post } from '../support/client.ts'
import { openTheatre, type Theatre } from '../theatre/site.ts'

let theatre: Theatre
let client: OpenAI
/** Six films at once are drawn one after another, which on a busy machine takes its time. */
const FILM_MS = 40_000
/** The sandbox takes three seconds for a film: all that tests begin with are begun together. */
let films: { source: string; watched: string; ending: string; framed: string[] }
beforeAll(async () => {
  theatre = await openTheatre()
  client = clientOf(theatre.router)
  const [source, watched, ending, ...framed] = await Promise.all([made(), watch(), made(), ...(await framedFilms())])
  films = { source, watched, ending, framed }
}, FILM_MS + 10_000)
beforeEach(() => {
  theatre.stub.seen.length = 0
})
afterAll(() => theatre.close())

const asked = { model: 'sandbox/video', prompt: 'a night train', seconds: '4' as const, size: '720x1280' as const }

const ended = (id: string) =>
  eventually(async () => {
    const video = await client.videos.retrieve(id)
    return video.status === 'completed' || video.status === 'failed' ? video : undefined
  }, FILM_MS)

async function made(body: OpenAI.VideoCreateParams = asked): Promise<string> {
  const { id } = await client.videos.create(body)
  expect(await ended(id)).toMatchObject({ status: 'completed' })
  return id
}

/** The events of a film, from its beginning to its end. */
async function watch(): Promise<string> {
  const { id } = await client.videos.create(asked)
  return (await get(theatre.router, `/jobs/${id}/events`)).text()
}

/** With another seed, with a last frame, and with references. */
async function framedFilms(): Promise<Promise<string>[]> {
  const picture = (background: string) =>
    sharp({ create: { width: 90, height: 60, channels: 3, background } })
      .png()
      .toBuffer()
  const [coral, teal] = [await picture('coral'), await picture('teal')]
  return [
    made({ ...asked, seed: 7 } as never),
    made({ ...asked, last_frame: await toFile(teal, 'last.png') } as never),
    made({ ...asked, references: [await toFile(coral, 'a.png'), await toFile(teal, 'b.png')] } as never),
  ]
}

interface JobView {
  outputs: { type: string; role?: string; media_type: string; seconds?: number; url: string | null }[]
  usage: { meters: object; attributes: Record<string, string> }
  billing: { hold_usd: string; cost_usd: string }
  provider: string
}
const jobOf = async (id: string) => (await (await get(theatre.router, `/jobs/${id}`)).json()) as JobView
const bytesOf = async (id: string, variant: 'video' | 'thumbnail' | 'spritesheet' = 'video') =>
  Buffer.from(await (await client.videos.downloadContent(id, { variant })).arrayBuffer())

describe('a film of the sandbox', () => {
  it('is remixed and extended at its own price, and shows it', { timeout: 40_000 }, async () => {
    const { router } = theatre
    const id = films.source
    const film = await bytesOf(id)
    const spent = await costOf(router, async () => {
      const remixed = await client.videos.remix(id, { prompt: 'a day train' })
      expect(remixed).toMatchObject({
        prompt: 'a day train',
        remixed_from_video_id: id,
        seconds: '4',
        size: '720x1280',
      })
      const extended = await client.videos.extend({ prompt: 'it stops', seconds: '8', video: { id } })
      expect(extended).toMatchObject({ prompt: 'it stops', remixed_from_video_id: id, seconds: '8' })
      for (const { id } of [remixed, extended]) expect(await ended(id)).toMatchObject({ status: 'completed' })
      expect((await bytesOf(remixed.id)).equals(film)).toBe(false)
      expect((await jobOf(remixed.id)).billing.cost_usd).toBe('0.040000000')
      expect((await jobOf(extended.id)).outputs[0]).toMatchObject({ type: 'video', seconds: 12 })
    })
    expect(spent).toBe('0.120000000')
    const edited = await client.videos.edit({ prompt: 'snow', video: { id } })
    expect(edited).toMatchObject({ prompt: 'snow', remixed_from_video_id: id, seconds: '4' })
    const ours = await (await post(router, `/videos/${id}/extend`, { seconds: 4 })).json()
    expect(ours).toMatchObject({ prompt: asked.prompt, seconds: '4' })
    for (const job of [edited, ours as { id: string }]) await post(router, `/jobs/${job.id}/cancel`, {})
  })

  it('has a thumbnail and a sprite sheet beside it, in ranges too', async () => {
    const id = films.source
    const { outputs } = await jobOf(id)
    expect(outputs.map(({ type, role, media_type }) => [type, role, media_type])).toEqual([
      ['video', undefined, 'video/mp4'],
      ['image', 'thumbnail', 'image/webp'],
      ['image', 'spritesheet', 'image/jpeg'],
    ])
    expect(await sharp(await bytesOf(id, 'thumbnail')).metadata()).toMatchObject({
      format: 'webp',
      width: 360,
      height: 640,
    })
    expect(await sharp(await bytesOf(id, 'spritesheet')).metadata()).toMatchObject({
      format: 'jpeg',
      width: 576,
      height: 256,
    })
    const sheet = await get(theatre.router, `/videos/${id}/content?variant=spritesheet`, { range: 'bytes=0-1' })
    expect([sheet.status, sheet.headers.get('content-disposition')]).toEqual([
      206,
      `inline; filename="${id}-spritesheet.jpeg"`,
    ])
  })

  it('takes frames and references, and a seed', async () => {
    const plain = await bytesOf(films.source)
    expect(films.framed.length).toBe(3)
    for (const id of films.framed) expect((await bytesOf(id)).equals(plain)).toBe(false)
  })

  it('takes a ratio and a resolution for a size', async () => {
    const wide = await post(theatre.router, '/videos', {
      ...asked,
      size: undefined,
      aspect_ratio: '16:9',
      resolution: '1080p',
    })
    const { id, ...shown } = (await wide.json()) as { id: string }
    expect(shown).toMatchObject({ size: '1920x1080' })
    await post(theatre.router, `/jobs/${id}/cancel`, {})
  })

  it('that is not there, not done, not made or of somebody else is not changed', async () => {
    const { router } = theatre
    const remix = async (id: string) => errorOf(await post(router, `/videos/${id}/remix`, { prompt: 'x' }))
    expect(await remix('job_none')).toMatchObject({ status: 404, code: 'job_not_found' })
    const { id } = await client.videos.create(asked)
    expect(await remix(id)).toMatchObject({ status: 409, code: 'job_not_finished' })
    await post(router, `/jobs/${id}/cancel`, {})
    expect(await remix(id)).toMatchObject({ status: 409, code: 'video_not_completed' })
    const speech = await client.audio.speech.create({ model: 'sandbox/speech', voice: 'alloy', input: 'a' })
    expect(await remix(speech.headers.get('x-job-id') ?? '')).toMatchObject({ status: 404, code: 'video_not_found' })
    const done = films.source
    const stranger = { ...router, api_key: await otherKey() }
    expect(await errorOf(await post(stranger, `/videos/${done}/remix`, { prompt: 'x' }))).toMatchObject({ status: 404 })
    for (const [body, param] of [
      [{}, 'prompt'],
      [{ prompt: '' }, 'prompt'],
      [{ prompt: 'x', model: 'sandbox/video' }, 'model'],
    ] as const) {
      expect(await errorOf(await post(router, `/videos/${done}/remix`, body))).toMatchObject({ status: 400, param })
    }
    expect(await errorOf(await post(router, `/videos/${done}/extend`, { seconds: 5 }))).toMatchObject({
      param: 'seconds',
    })
    expect(
      await errorOf(await post(router, `/videos/${done}/remix`, { prompt: 'x', max_cost_usd: '0.01' })),
    ).toMatchObject({
      status: 400,
      code: 'max_cost_exceeded',
    })
    const file = await toFile(await bytesOf(done), 'film.mp4')
    await expect(client.videos.edit({ prompt: 'x', video: file })).rejects.toMatchObject({
      status: 400,
      param: 'video',
    })
    await expect(client.videos.createCharacter({ name: 'Ada', video: file })).rejects.toMatchObject({
      status: 400,
      code: 'unsupported_operation',
    })
    const estimate = async (more: object) => {
      const answer = await post(router, '/estimate', { operation: 'video', video: { id: done }, prompt: 'x', ...more })
      return ((await answer.json()) as { hold_usd: string }).hold_usd
    }
    expect([await estimate({}), await estimate({ seconds: '12' })]).toEqual(['0.040000000', '0.120000000'])
  })

  it('is gone when its time is over, to the second, and still told of', async () => {
    const { router } = theatre
    const id = films.ending
    const { expires_at } = await client.videos.retrieve(id)
    expect(expires_at).toBeGreaterThan(Date.now() / 1000 + 86_400)
    const past = new Date(Date.now() - 5000)
    await router.services.store.jobs.updateOne({ _id: id }, { $set: { expires_at: past } })
    const gone = { status: 410, code: 'output_expired' }
    // First by the clock alone, then without its files.
    expect(await errorOf(await get(router, `/videos/${id}/content`))).toMatchObject(gone)
    await expireOutputs(router.services)
    expect(await errorOf(await get(router, `/videos/${id}/content`))).toMatchObject(gone)
    expect(await errorOf(await get(router, `/videos/${id}/content?variant=thumbnail`))).toMatchObject(gone)
    expect(await errorOf(await post(router, `/videos/${id}/remix`, { prompt: 'x' }))).toMatchObject(gone)
    expect(await client.videos.retrieve(id)).toMatchObject({
      status: 'completed',
      prompt: null,
      seconds: '4',
      size: '720x1280',
      expires_at: Math.floor(past.getTime() / 1000),
    })
  })

  it('tells its progress, which never falls', () => {
    const events = films.watched.split('\n\n').filter((text) => text.startsWith('event'))
    const progress = events.map((text) => (JSON.parse(text.split('data: ')[1] ?? '') as { progress: number }).progress)
    expect(progress).toEqual([...progress].sort((one, other) => one - other))
    expect([progress[0], progress.at(-1)]).toEqual([0, 100])
    expect(progress.length, String(progress)).toBeGreaterThan(2)
  })
})

async function otherKey(): Promise<string> {
  const { url, admin_key } = theatre.router
  const send = async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${admin_key}`, 'content-type': 'application/json' }
    const response = await fetch(`${url}/api/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    return (await response.json()) as { id: string; key: string }
  }
  const { id } = await send('/users', { name: 'Eve' })
  return (await send('/keys', { user_id: id, name: 'test' })).key
}

describe('the shape of a film', () => {
  const film = { model: 'stage/film', prompt: 'a heron', seconds: 5 }
  const hold = async (more: object) => {
    const answer = await post(theatre.router, '/estimate', { operation: 'video', ...film, ...more })
    return answer.status === 200 ? ((await answer.json()) as { hold_usd: string }).hold_usd : errorOf(answer)
  }

  it.each([
    [{ resolution: '720p' }, '0.500000000'],
    [{ size: '1280x720' }, '0.500000000'],
    [{ size: '1080x1920' }, '1.000000000'],
    [{ aspect_ratio: '9:16', resolution: '1080P' }, '1.000000000'],
    [{ size: '1920x1080', audio: true }, '1.500000000'],
    [{ resolution: '4k' }, '2.000000000'],
    [{ size: '3840x2160' }, '2.000000000'],
  ])('%j chooses its rate', async (shape, usd) => {
    expect(await hold(shape)).toBe(usd)
  })

  it.each([
    [{ resolution: '480p' }, 'resolution'],
    [{ size: '854x480' }, 'size'],
    [{ size: '1024x1792' }, 'size'],
    [{ aspect_ratio: '1:1', resolution: '720p' }, 'aspect_ratio'],
    [{ resolution: '720p', seed: 1 }, 'seed'],
    [{ resolution: '720p', input_reference: 'data:image/png;base64,AA==' }, 'input_reference'],
    [{ resolution: '720p', references: ['data:image/png;base64,AA=='] }, 'references'],
    [{ resolution: '720p', lens: 'wide' }, 'lens'],
  ])('%j is refused by name', async (shape, param) => {
    expect(await hold(shape)).toMatchObject({ status: 400, param })
  })

  it('is charged as held, and kept on the job', async () => {
    const { router } = theatre
    const spent = await costOf(router, async () => {
      const answer = await post(router, '/videos', { ...film, size: '1920x1080', audio: true, negative_prompt: 'rain' })
      const { id } = (await answer.json()) as { id: string }
      expect(await ended(id)).toMatchObject({ status: 'completed', size: '1920x1080' })
      expect((await jobOf(id)).usage.attributes).toMatchObject({ resolution: '1080p', audio: 'true' })
      expect(await errorOf(await get(router, `/videos/${id}/content?variant=thumbnail`))).toMatchObject({
        status: 404,
        param: 'variant',
      })
      expect(await errorOf(await post(router, `/videos/${id}/remix`, { prompt: 'x' }))).toMatchObject({
        status: 400,
        code: 'unsupported_operation',
      })
    })
    expect(spent).toBe('1.500000000')
  })
})

describe('a provider of OpenAI’s own format', () => {
  const POLL = { 'openai-poll-after-ms': '20' }
  const film = Buffer.concat([Buffer.from([0, 0, 0, 16]), Buffer.from('ftypmp42'), Buffer.alloc(64)])
  let picture: Buffer
  beforeEach(async () => {
    picture = await sharp({ create: { width: 300, height: 300, channels: 3, background: 'teal' } })
      .webp()
      .toBuffer()
    let films = 0
    theatre.stub.answer = (response, { method, path }) => {
      if (path.endsWith('variant=thumbnail'))
        return response.writeHead(200, { 'content-type': 'image/webp' }).end(picture)
      if (path.endsWith('variant=spritesheet')) return response.writeHead(404).end('{"error":{"message":"no"}}')
      if (path.includes('/content')) return response.writeHead(200, { 'content-type': 'video/mp4' }).end(film)
      const id = method === 'POST' ? `video_${++films}` : path.split('/').at(-1)
      const status = method === 'POST' ? 'queued' : 'completed'
      return json(
        { id, object: 'video', status, progress: 0, seconds: '4', size: '1280x720' },
        200,
        POLL,
      )(response, {} as never)
    }
  })
  const reel = { model: 'reel/film', prompt: 'waves', seconds: '4' as const, size: '1280x720' as const }

  it('gets the first picture at the very size of the film, and its own still is kept', {
    timeout: 20_000,
  }, async () => {
    const id = await made({ ...reel, input_reference: await toFile(picture, 'first.webp') })
    const [submitted] = theatre.stub.seen
    const headers = { 'content-type': submitted?.headers['content-type'] ?? '' }
    const form = await new Response(new Uint8Array(submitted?.body ?? []), { headers }).formData()
    const sent = Buffer.from(await (form.get('input_reference') as File).arrayBuffer())
    expect(await sharp(sent).metadata()).toMatchObject({ width: 1280, height: 720 })
    expect((await jobOf(id)).outputs.map(({ role }) => role)).toEqual([undefined, 'thumbnail'])
    expect((await bytesOf(id, 'thumbnail')).length).toBeGreaterThan(10)
    expect(await errorOf(await get(theatre.router, `/videos/${id}/content?variant=spritesheet`))).toMatchObject({
      status: 404,
    })
  })

  it('remixes and extends its own films by their ids there', { timeout: 20_000 }, async () => {
    const id = await made(reel)
    theatre.stub.seen.length = 0
    const spent = await costOf(theatre.router, async () => {
      expect(await ended((await client.videos.remix(id, { prompt: 'calm' })).id)).toMatchObject({ status: 'completed' })
      const extension = { prompt: 'on', seconds: '8' as const, video: { id } }
      expect(await ended((await client.videos.extend(extension)).id)).toMatchObject({ status: 'completed' })
    })
    // The server told 4 seconds of both.
    expect(spent).toBe('0.800000000')
    const posts = theatre.stub.seen.filter(({ method }) => method === 'POST')
    expect(posts.map(({ path }) => path)).toEqual(['/v1/videos/video_1/remix', '/v1/videos/extensions'])
    expect(JSON.parse(String(posts[0]?.body))).toEqual({ prompt: 'calm' })
    expect(String(posts[1]?.body)).toContain('name="video[id]"\r\n\r\nvideo_1')
  })

  it('is asked for the size that a ratio and a resolution make', async () => {
    const answer = await post(theatre.router, '/videos', { ...reel, size: undefined, aspect_ratio: '9:16' })
    const { id } = (await answer.json()) as { id: string }
    await ended(id)
    expect(String(theatre.stub.seen[0]?.body)).toContain('name="size"\r\n\r\n720x1280')
    expect(
      await errorOf(await post(theatre.router, '/videos', { ...reel, size: undefined, resolution: '1080p' })),
    ).toMatchObject({ status: 400, param: 'resolution' })
  })
})
