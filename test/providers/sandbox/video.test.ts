// The sandbox's films: asynchronous, a function of time alone, and real H.264 in MP4.
import sharp from 'sharp'
import { describe, expect, test, vi } from 'vitest'
import { type Clip, type Clips, createClips } from '../../../providers/sandbox/clips.ts'
import { rememberFirstTimes } from '../../../providers/sandbox/orders.ts'
import { sandboxVideo } from '../../../providers/sandbox/video.ts'
import { type Asset, ERROR_KINDS, type ErrorKind, type Json, type VideoRequest } from '../../../src/contract.ts'
import { callFor } from './sandbox.ts'

const film = Buffer.from('a film')
const clip: Clip = { film, thumbnail: Buffer.from('a still'), spritesheet: Buffer.from('stills') }
const readyClips: Clips = { take: () => clip }

/** The generator under a clock of the test's own. */
function studio(clips: Clips = readyClips) {
  const clock = { now: Date.UTC(2026, 10, 21) }
  return { clock, video: sandboxVideo(rememberFirstTimes(), clips, () => clock.now) }
}

const requestFor = (request: Partial<VideoRequest> = {}): VideoRequest => ({
  model: 'sandbox/video',
  prompt: 'A train',
  seconds: 4,
  ...request,
})

async function submit(
  { video }: ReturnType<typeof studio>,
  request: Partial<VideoRequest> = {},
  job = 'job_v',
): Promise<Json> {
  const progress = await video.start(requestFor(request), callFor('video', { job }))
  if (progress.status !== 'pending') throw new Error(`not pending: ${progress.status}`)
  expect(progress).toMatchObject({ percent: 0, poll_after_ms: 500 })
  return progress.ref
}
const ask = async ({ video }: ReturnType<typeof studio>, ref: Json) => await video.poll?.(ref, callFor('video'))

/** The boxes of an MP4, by path: `moov/trak/mdia`. */
function boxesOf(file: Buffer, under = ''): Map<string, Buffer> {
  const boxes = new Map<string, Buffer>()
  for (let at = 0; at + 8 <= file.length; ) {
    const size = file.readUInt32BE(at)
    const path = `${under}${file.toString('latin1', at + 4, at + 8)}`
    const body = file.subarray(at + 8, at + size)
    boxes.set(path, body)
    if (/^(moov|trak|mdia|minf|stbl)$/.test(path.split('/').at(-1) ?? '')) {
      for (const [inner, value] of boxesOf(body, `${path}/`)) boxes.set(inner, value)
    }
    at += Math.max(8, size)
  }
  return boxes
}

describe('a film', () => {
  test('is an H.264 MP4 of the asked length and size, one frame a second', { timeout: 30_000 }, async () => {
    const real = studio(createClips())
    const ref = await submit(real, { size: '1280x720' })
    real.clock.now += 3000
    const progress = await vi.waitUntil(
      async () => {
        const asked = await ask(real, ref)
        if (asked?.status === 'pending') expect(asked.percent).toBe(99)
        return asked?.status === 'done' && asked
      },
      { timeout: 25_000 },
    )
    const { video } = progress.output
    if (video.type !== 'bytes') throw new Error('not a file')
    expect(video.media_type).toBe('video/mp4')
    const boxes = boxesOf(Buffer.from(video.data))
    expect([...boxes.keys()]).toEqual(
      expect.arrayContaining(['ftyp', 'mdat', 'moov', 'moov/mvhd', 'moov/trak/mdia/minf/stbl/stsd']),
    )
    const header = boxes.get('moov/mvhd') ?? Buffer.alloc(20)
    expect(header.readUInt32BE(16) / header.readUInt32BE(12)).toBe(4)
    const sample = boxes.get('moov/trak/mdia/minf/stbl/stsd') ?? Buffer.alloc(44)
    expect(sample.toString('latin1', 12, 16)).toBe('avc1')
    expect([sample.readUInt16BE(40), sample.readUInt16BE(42)]).toEqual([1280, 720])
    expect(boxes.get('moov/trak/mdia/minf/stbl/stsz')?.readUInt32BE(8)).toBe(4)
  })

  test('is ready three seconds after submission, its progress a function of time', async () => {
    const made = studio()
    const ref = await submit(made)
    for (const [elapsed_ms, percent] of [
      [0, 0],
      [1500, 50],
      [2999, 99],
    ] as const) {
      made.clock.now = Date.UTC(2026, 10, 21) + elapsed_ms
      expect(await ask(made, ref)).toEqual({ status: 'pending', ref, percent, poll_after_ms: 500 })
    }
    made.clock.now += 1
    expect(await ask(made, ref)).toMatchObject({ status: 'done', output: { video: { data: film } } })
  })

  test('survives a restart: another process answers from the ref alone, kept as JSON', async () => {
    const ref = await submit(studio(), { prompt: 'A train [[delay:2s]]', seconds: 12, size: '1792x1024' })
    const restarted = studio()
    const kept = JSON.parse(JSON.stringify(ref))
    restarted.clock.now += 4999
    expect(await ask(restarted, kept)).toMatchObject({ status: 'pending', percent: 99 })
    restarted.clock.now += 1
    expect(await ask(restarted, kept)).toMatchObject({ status: 'done', usage: { meters: { video_seconds: 12 } } })
  })

  test('may begin from a picture, of which the ref keeps a few kilobytes', async () => {
    const data = await sharp({ create: { width: 3000, height: 2000, channels: 3, background: 'coral' } })
      .jpeg()
      .toBuffer()
    const ref = await submit(studio(), { first_frame: { type: 'bytes', data, media_type: 'image/jpeg' } })
    expect(JSON.stringify(ref).length).toBeLessThan(8000)
    expect(ref).toHaveProperty('scenes.0.first_frame')
  })

  test('begun from a picture shows it', { timeout: 30_000 }, async () => {
    const clips = createClips()
    const coral = await sharp({ create: { width: 64, height: 36, channels: 3, background: 'coral' } })
      .webp()
      .toBuffer()
    const scene = { words: 'x', seconds: 4 }
    const files = [scene, { ...scene, first_frame: coral.toString('base64') }].map((each) =>
      vi.waitUntil(() => clips.take({ width: 320, height: 180, scenes: [each] })?.film, { timeout: 25_000 }),
    )
    const [plain, begun] = await Promise.all(files)
    expect(Buffer.from(begun ?? []).equals(Buffer.from(plain ?? []))).toBe(false)
  })

  test('can be canceled', async () => {
    const made = studio()
    await expect(made.video.cancel?.(await submit(made), callFor('video'))).resolves.toBeUndefined()
  })
})

describe('a request', () => {
  test.each([
    ['720x1280', '720p'],
    ['1280x720', '720p'],
    ['1024x1792', '1024p'],
    ['1792x1024', '1024p'],
  ])('for %s is estimated at exactly what it consumes', async (size, resolution) => {
    const made = studio()
    const usage = { meters: { video_seconds: 8 }, attributes: { size, resolution } }
    expect(made.video.estimate?.(requestFor({ seconds: 8, size }), 'video', {})).toEqual({
      ...usage,
      source: 'estimated',
    })
    const ref = await submit(made, { seconds: 8, size })
    made.clock.now += 3000
    expect(await ask(made, ref)).toMatchObject({ usage: { ...usage, source: 'reported' } })
  })

  const nothing: Asset = { type: 'bytes', data: Buffer.from('nothing'), media_type: 'image/png' }
  test.each<[Partial<VideoRequest>, string]>([
    [{ seconds: 5 }, 'seconds'],
    [{ size: '640x480' }, 'size'],
    [{ prompt: '[[tokens:9]]' }, 'prompt'],
    [{ first_frame: nothing }, 'input_reference'],
    [{ first_frame: { type: 'url', url: 'https://pictures.example/a.png' } }, 'input_reference'],
  ])('%# with a bad field is refused, naming it', async (request, param) => {
    await expect(submit(studio(), request)).rejects.toMatchObject({ kind: 'invalid_request', detail: { param } })
  })

  const kinds = Object.keys(ERROR_KINDS) as ErrorKind[]
  const late: ErrorKind[] = ['unavailable', 'timeout', 'bad_response', 'canceled', 'internal']
  test.each(kinds.filter((kind) => !late.includes(kind)))('told to fail with %s fails at submission', async (kind) => {
    await expect(submit(studio(), { prompt: `[[fail:${kind}]]` })).rejects.toMatchObject({ kind })
  })

  test.each(late)('told to fail with %s is accepted and fails later', async (kind) => {
    const made = studio()
    const ref = await submit(made, { prompt: `[[delay:1s]] [[fail:${kind}]]` })
    made.clock.now += 3999
    expect(await ask(made, ref)).toMatchObject({ status: 'pending' })
    made.clock.now += 1
    expect(await ask(made, ref)).toMatchObject({ status: 'failed', error: { kind } })
  })

  test('told to fail once fails at submission and is accepted on the retry, whatever the kind', async () => {
    const made = studio()
    const prompt = '[[fail:unavailable once]]'
    await expect(submit(made, { prompt }, 'job_w')).rejects.toMatchObject({ kind: 'unavailable' })
    const ref = await submit(made, { prompt }, 'job_w')
    made.clock.now += 3000
    expect(await ask(made, ref)).toMatchObject({ status: 'done' })
  })

  test('that was aborted is not accepted', async () => {
    const signal = AbortSignal.abort()
    await expect(studio().video.start(requestFor(), callFor('video', { signal }))).rejects.toMatchObject({
      kind: 'canceled',
    })
  })
})

describe('encoding', () => {
  const planOf = (words: string) => ({ width: 64, height: 64, scenes: [{ words, seconds: 4 }] })

  test('happens once for equal films and one at a time for others', async () => {
    let running = 0
    const encoded: string[] = []
    const clips = createClips(async ({ scenes: [scene] }) => {
      expect(++running).toBe(1)
      await new Promise(setImmediate)
      running--
      encoded.push(scene?.words ?? '')
      return clip
    })
    for (const words of ['a', 'a', 'b', 'a']) clips.take(planOf(words))
    await vi.waitUntil(() => clips.take(planOf('a')) && clips.take(planOf('b')))
    expect(encoded).toEqual(['a', 'b'])
  })

  test('that breaks is told to one asker and tried again for the next', async () => {
    let attempts = 0
    const clips = createClips(async () => {
      if (++attempts === 1) throw new Error('no memory')
      return clip
    })
    const made = studio(clips)
    const ref = await submit(made)
    made.clock.now += 3000
    await vi.waitFor(async () => expect(await ask(made, ref).catch(({ kind }) => kind)).toBe('internal'))
    await vi.waitUntil(async () => (await ask(made, ref))?.status === 'done')
    expect(attempts).toBe(2)
  })
})
