// Speech while it is spoken, and in formats that its provider does not make.

import { parseBuffer } from 'music-metadata'
import type OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { json, sse } from '../providers/stub.ts'
import { clientOf, costOf, creditsOf, errorOf, eventually, get, post } from '../support/client.ts'
import { openTheatre, type Theatre } from '../theatre/site.ts'

let theatre: Theatre
let client: OpenAI
let mp3: Buffer
beforeAll(async () => {
  theatre = await openTheatre()
  client = clientOf(theatre.router)
  mp3 = await speak({})
})
beforeEach(() => {
  theatre.stub.seen.length = 0
})
afterAll(() => theatre.close())

const said = { model: 'sandbox/speech', voice: 'alloy', input: 'The heron is late. It flies again!' }
const speak = async (more: object) =>
  Buffer.from(await (await client.audio.speech.create({ ...said, ...more })).arrayBuffer())

interface SpeechEvent {
  type: string
  audio?: string
  usage?: Record<string, number>
}
const eventsOf = (text: string): SpeechEvent[] =>
  text
    .split('\n\n')
    .filter(Boolean)
    .map((event) => JSON.parse(event.replace(/^(event: .*\n)?data: /, '')) as SpeechEvent)
const soundOf = (events: SpeechEvent[]) => Buffer.concat(events.map(({ audio = '' }) => Buffer.from(audio, 'base64')))

/** Reel's server, which speaks in two pieces and waits for `go` between them. */
function halting(first: Uint8Array | string, second: Uint8Array | string, content_type: string) {
  let go = () => {}
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  theatre.stub.answer = async (response) => {
    response.writeHead(200, { 'content-type': content_type }).write(first)
    await gate
    response.end(second)
  }
  return go
}

describe('a stream of sound', () => {
  it.each(['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'] as const)(
    'in %s is the same file in pieces',
    async (response_format) => {
      const whole = await speak({ response_format })
      const spent = await costOf(theatre.router, async () => {
        expect((await speak({ response_format, stream_format: 'audio' })).equals(whole)).toBe(true)
        const text = String(await speak({ response_format, stream_format: 'sse' }))
        const events = eventsOf(text)
        expect(soundOf(events).equals(whole)).toBe(true)
        expect(events.at(-1)).toEqual({
          type: 'speech.audio.done',
          usage: { input_tokens: 0, output_tokens: 0, total_tokens: 0, cost: 0.00051 },
        })
      })
      expect(spent).toBe('0.001020000')
    },
  )

  it('goes on as it comes, and its last piece waits for the charge', async () => {
    const go = halting(mp3.subarray(0, 1000), mp3.subarray(1000), 'audio/mpeg')
    const { router } = theatre
    const ask = { ...said, model: 'reel/plain-voice', stream_format: 'audio' as const }
    const asking = client.audio.speech.create(ask)
    // The last piece so far is held back until another follows it.
    const before = await eventually(async () =>
      (await creditsOf(router)).held_usd === '0.000000000' ? undefined : true,
    )
    expect(before).toBe(true)
    go()
    const response = await asking
    expect(response.headers.get('content-type')).toBe('audio/mpeg')
    expect(Buffer.from(await response.arrayBuffer()).equals(mp3)).toBe(true)
    expect((await creditsOf(router)).held_usd).toBe('0.000000000')
  })

  it('of a provider’s events is passed on while they come, with the cost in the last', async () => {
    const delta = (piece: Uint8Array) =>
      `event: speech.audio.delta\ndata: ${JSON.stringify({ type: 'speech.audio.delta', audio: Buffer.from(piece).toString('base64') })}\n\n`
    const usage = { input_tokens: 10, output_tokens: 100, total_tokens: 110 }
    const done = `data: ${JSON.stringify({ type: 'speech.audio.done', usage })}\n\n`
    const go = halting(
      `${delta(mp3.subarray(0, 500))}${delta(mp3.subarray(500, 900))}`,
      `${delta(mp3.subarray(900))}${done}`,
      'text/event-stream',
    )
    const response = await client.audio.speech.create({ ...said, model: 'reel/voice', stream_format: 'sse' })
    const reader = response.body?.getReader()
    const first = Buffer.from((await reader?.read())?.value ?? []).toString()
    expect(eventsOf(first)[0]).toEqual({ type: 'speech.audio.delta', audio: mp3.subarray(0, 500).toString('base64') })
    go()
    let rest = ''
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read())
      rest += Buffer.from(next.value)
    const events = eventsOf(first + rest)
    expect(soundOf(events).equals(mp3)).toBe(true)
    expect(events.at(-1)).toEqual({ type: 'speech.audio.done', usage: { ...usage, cost: 0.00101 } })
  })

  it('that breaks off shows it, and costs nothing', async () => {
    const { router } = theatre
    const spent = await costOf(router, async () => {
      const stumble = { ...said, model: 'stage/voice', response_format: 'pcm', input: 'stumble' }
      // Nothing had gone out yet: an ordinary error.
      expect(await errorOf(await post(router, '/audio/speech', { ...stumble, stream_format: 'audio' }))).toMatchObject({
        status: 502,
        code: 'provider_error',
      })
      const delta = `data: ${JSON.stringify({ type: 'speech.audio.delta', audio: 'UklG' })}\n\n`
      theatre.stub.answer = sse(delta.repeat(3))
      const cut = { ...said, model: 'reel/voice' }
      const broken = await post(router, '/audio/speech', { ...cut, stream_format: 'sse' })
      const events = eventsOf(await broken.text())
      expect(events.at(-1)).toMatchObject({ error: { code: 'provider_error' } })
      const sound = await post(router, '/audio/speech', { ...cut, stream_format: 'audio' })
      await expect(sound.arrayBuffer()).rejects.toThrow()
      expect(await errorOf(await post(router, '/audio/speech', cut))).toMatchObject({ status: 502 })
      theatre.stub.answer = json({ error: { message: 'no such voice', param: 'voice' } }, 400)
      expect(await errorOf(await post(router, '/audio/speech', { ...cut, stream_format: 'sse' }))).toMatchObject({
        status: 400,
        param: 'voice',
      })
    })
    expect(spent).toBe('0.000000000')
  })

  it('whose listener leaves is finished, charged and kept', async () => {
    const { router } = theatre
    const go = halting(mp3.subarray(0, 1000), mp3.subarray(1000), 'audio/mpeg')
    const leaving = new AbortController()
    const asking = client.audio.speech.create(
      { ...said, model: 'reel/plain-voice', stream_format: 'sse' },
      { signal: leaving.signal },
    )
    await eventually(async () => (theatre.stub.seen.length > 0 ? true : undefined))
    leaving.abort()
    await expect(asking).rejects.toThrow()
    go()
    const job = await eventually(async () => {
      const list = (await (await get(router, '/jobs?limit=1&model=reel/plain-voice')).json()) as {
        data: { id: string; status: string; outputs: { url: string }[] }[]
      }
      return list.data[0]?.outputs.length ? list.data[0] : undefined
    })
    expect(job.status).toBe('completed')
    const kept = await (await get(router, `/jobs/${job.id}/outputs/0`)).arrayBuffer()
    expect(Buffer.from(kept).equals(mp3)).toBe(true)
  })
})

describe('a format that the provider does not make', () => {
  const stage = { ...said, model: 'stage/voice' }

  it.each([
    ['wav', 'audio/wav', 'PCM', 16_000],
    ['mp3', 'audio/mpeg', 'MPEG 2 Layer 3', 16_000],
    ['opus', 'audio/ogg', 'Opus', 16_000],
    ['flac', 'audio/flac', 'FLAC', 16_000],
  ] as const)('is written from its samples: %s', async (response_format, media_type, codec, sampleRate) => {
    const response = await client.audio.speech.create({ ...stage, response_format })
    expect(response.headers.get('content-type')).toBe(media_type)
    const { format } = await parseBuffer(Buffer.from(await response.arrayBuffer()), { mimeType: media_type })
    expect(format).toMatchObject({ codec, sampleRate, numberOfChannels: 1 })
    // MP3 has whole frames of 36 ms, and some to begin with.
    expect(format.duration).toBeGreaterThanOrEqual(0.5)
    expect(format.duration).toBeLessThan(0.6)
  })

  it('is at 24 kHz for pcm, and comes whole in a stream', async () => {
    const pcm = await speak({ ...stage, response_format: 'pcm' })
    expect(pcm.length).toBe(24_000)
    const mp3 = await speak({ ...stage, response_format: 'mp3' })
    expect((await speak({ ...stage, response_format: 'mp3', stream_format: 'audio' })).equals(mp3)).toBe(true)
  })

  it('is refused before anything is held where it cannot be, with those that there are', async () => {
    const { router } = theatre
    const error = await errorOf(await post(router, '/audio/speech', { ...stage, response_format: 'midi' }))
    expect(error).toMatchObject({ status: 400, param: 'response_format' })
    expect(error.message).toBe('stage/voice speaks pcm, aac, wav, mp3, opus, flac, not midi.')
  })

  it('is kept in the asked format as a job too', async () => {
    const { router } = theatre
    const body = { ...stage, response_format: 'flac' }
    const { id } = (await (await post(router, '/audio/speech', body, { prefer: 'respond-async' })).json()) as {
      id: string
    }
    const output = await eventually(async () => {
      const response = await get(router, `/jobs/${id}/outputs/0`)
      return response.status === 200 ? response : undefined
    })
    expect(output.headers.get('content-type')).toBe('audio/flac')
  })
})

it('is estimated, and refused above max_cost_usd', async () => {
  const { router } = theatre
  const estimate = await post(router, '/estimate', { operation: 'speech', ...said })
  expect(await estimate.json()).toMatchObject({ object: 'estimate', operation: 'speech', hold_usd: '0.000510000' })
  expect(await errorOf(await post(router, '/audio/speech', { ...said, max_cost_usd: '0.0005' }))).toMatchObject({
    status: 400,
    code: 'max_cost_exceeded',
  })
})
