// Speech and transcripts through the official SDK, by the sandbox and passed on from a provider of OpenAI's own format.
import type OpenAI from 'openai'
import { toFile } from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { json, Stub } from '../providers/stub.ts'
import { clientOf, costOf, errorOf, eventually, get, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

const stub = new Stub()
let router: TestRouter
let client: OpenAI
/** 1.2 s or so, by the sandbox. */
let wav: Buffer
const TEXT = 'The heron is late. It flies again!'
beforeAll(async () => {
  await stub.start()
  router = await testRouter({ OPENAI_API_KEY: 'sk-stub', OPENAI_BASE_URL: `${stub.url}/v1` })
  client = clientOf(router)
  wav = await spoken('wav')
})
afterAll(async () => {
  await router.close()
  await stub.stop()
})

const said = { model: 'sandbox/speech', voice: 'alloy', input: TEXT }
const spoken = async (response_format: 'wav') =>
  Buffer.from(await (await client.audio.speech.create({ ...said, response_format })).arrayBuffer())

describe('POST /v1/audio/speech', () => {
  it.each([
    ['mp3', 'audio/mpeg'],
    ['opus', 'audio/ogg'],
    ['aac', 'audio/aac'],
    ['flac', 'audio/flac'],
    ['wav', 'audio/wav'],
    ['pcm', 'audio/pcm'],
  ] as const)('speaks %s as %s, and charges by the character', async (response_format, media_type) => {
    const spent = await costOf(router, async () => {
      const response = await client.audio.speech.create({ ...said, response_format })
      expect(response.headers.get('content-type')).toBe(media_type)
      expect(response.headers.get('x-cost-usd')).toBe('0.000510000')
      expect(response.headers.get('x-job-id')).toMatch(/^job_/)
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(500)
    })
    expect(spent).toBe('0.000510000')
  })

  it('speaks in events where that is asked for', async () => {
    const response = await client.audio.speech.create({ ...said, response_format: 'wav', stream_format: 'sse' })
    const events = (await response.text())
      .split('\n\n')
      .filter(Boolean)
      .map((text) => JSON.parse(text.replace(/^event: .*\ndata: /, '')))
    const pieces = events.filter(({ type }) => type === 'speech.audio.delta')
    expect(Buffer.concat(pieces.map(({ audio }) => Buffer.from(audio, 'base64')))).toEqual(wav)
    expect(events.at(-1)).toMatchObject({ type: 'speech.audio.done', usage: { cost: 0.00051 } })
  })

  it('refuses what it does not take, names the field, and charges nothing', async () => {
    const cases: [object, string][] = [
      [{ voice: undefined }, 'voice'],
      [{ input: '' }, 'input'],
      [{ input: 'x'.repeat(4097) }, 'input'],
      [{ response_format: 'midi' }, 'response_format'],
      [{ speed: 'fast' }, 'speed'],
      [{ speed: 5 }, 'speed'],
      [{ accent: 'scottish' }, 'accent'],
    ]
    const spent = await costOf(router, async () => {
      for (const [change, param] of cases) {
        expect(await errorOf(await post(router, '/audio/speech', { ...said, ...change })), param).toMatchObject({
          status: 400,
          param,
        })
      }
    })
    expect(spent).toBe('0.000000000')
  })

  it('passes the sound of another provider on as it came', async () => {
    stub.answer = (response) => response.writeHead(200, { 'content-type': 'audio/wav' }).end(wav)
    const spent = await costOf(router, async () => {
      const response = await client.audio.speech.create({ ...said, model: 'openai/tts-1', response_format: 'wav' })
      expect(Buffer.from(await response.arrayBuffer())).toEqual(wav)
    })
    expect(spent).toBe('0.000510000')
  })
})

describe('POST /v1/audio/transcriptions', () => {
  const file = () => toFile(wav, 'heron.wav', { type: 'audio/wav' })
  const heard = { model: 'sandbox/transcribe' }
  const seconds = () => (wav.length - 44) / 48_000

  it('writes JSON with the measured length and its price', async () => {
    const spent = await costOf(router, async () => {
      const answer = await client.audio.transcriptions.create({ ...heard, file: await file() })
      expect(answer).toMatchObject({ text: TEXT, usage: { type: 'duration', cost: expect.any(Number) } })
      expect(answer.usage).toMatchObject({ seconds: expect.closeTo(seconds(), 1) })
    })
    expect(Number(spent)).toBeCloseTo((seconds() * 0.006) / 60, 5)
  })

  it('writes text, SubRip, WebVTT and JSON with times', async () => {
    const ask = async (response_format: string) =>
      (await client.audio.transcriptions.create({
        ...heard,
        file: await file(),
        response_format: response_format as 'json',
      })) as unknown
    expect(await ask('text')).toBe(`${TEXT}\n`)
    expect(await ask('srt')).toMatch(
      /^1\n00:00:00,000 --> 00:00:0\d,\d{3}\nThe heron is late\.\n\n2\n00:00:0\d,\d{3} --> .*\nIt flies again!\n$/,
    )
    expect(await ask('vtt')).toMatch(/^WEBVTT\n\n00:00:00\.000 --> 00:00:0\d\.\d{3}\nThe heron is late\.\n\n/)
    expect(await ask('verbose_json')).toMatchObject({
      task: 'transcribe',
      language: 'english',
      duration: expect.closeTo(seconds(), 1),
      text: TEXT,
      segments: [
        { id: 0, start: 0, text: 'The heron is late.' },
        { id: 1, text: 'It flies again!' },
      ],
      usage: { cost: expect.any(Number) },
    })
  })

  it('streams a transcript as events', async () => {
    const events = []
    for await (const event of await client.audio.transcriptions.create({ ...heard, file: await file(), stream: true }))
      events.push(event)
    expect(events.map((event) => (event.type === 'transcript.text.delta' ? event.delta : '')).join('')).toBe(TEXT)
    expect(events.length).toBeGreaterThan(3)
    expect(events.at(-1)).toMatchObject({
      type: 'transcript.text.done',
      text: TEXT,
      usage: { type: 'duration', cost: expect.any(Number) },
    })
  })

  it('translates', async () => {
    expect(await client.audio.translations.create({ ...heard, file: await file() })).toMatchObject({ text: TEXT })
  })

  it('keeps the transcript of a job in the format that was asked for', async () => {
    const form = new FormData()
    form.append('model', 'sandbox/transcribe')
    form.append('response_format', 'srt')
    form.append('file', await file())
    const headers = { authorization: `Bearer ${router.api_key}`, prefer: 'respond-async' }
    const response = await fetch(`${router.base_url}/audio/transcriptions`, { method: 'POST', headers, body: form })
    expect(response.status).toBe(202)
    const { id } = (await response.json()) as { id: string }
    const text = await eventually(async () => {
      const output = await get(router, `/jobs/${id}/outputs/0`)
      return output.status === 200 ? output.text() : undefined
    })
    expect(text).toMatch(/^1\n00:00:00,000 --> /)
  })

  it('refuses what is no recording, is missing or is unknown, and charges nothing', async () => {
    const elf = await toFile(
      Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01', 'latin1'), Buffer.alloc(4000)]),
      'voice.mp3',
    )
    const spent = await costOf(router, async () => {
      const wrong = client.audio.transcriptions.create({ ...heard, file: elf })
      await expect(wrong).rejects.toMatchObject({ status: 415, code: 'wrong_file_type', param: 'file' })
      const cut = await toFile(wav.subarray(0, 30), 'cut.wav')
      await expect(client.audio.transcriptions.create({ ...heard, file: cut })).rejects.toMatchObject({
        status: 400,
        param: 'file',
      })
      for (const [more, param] of [
        [{ response_format: 'docx' }, 'response_format'],
        [{ temperature: 2 }, 'temperature'],
        [{ chunking_strategy: { type: 'server_vad', threshold: 0.5 } }, 'chunking_strategy'],
        [{ include: ['logprobs'] }, 'include'],
        [{ timestamp_granularities: ['word'] }, 'timestamp_granularities'],
        [{ response_format: 'verbose_json', timestamp_granularities: ['letter'] }, 'timestamp_granularities'],
        [{ known_speaker_names: ['Ada'] }, 'known_speaker_names'],
        [{ response_format: 'srt', stream: true }, 'response_format'],
      ] as const) {
        const ask = client.audio.transcriptions.create({ ...heard, file: await file(), ...more } as never)
        await expect(ask, param).rejects.toMatchObject({ status: 400, param })
      }
      const headers = { authorization: `Bearer ${router.api_key}` }
      const form = new FormData()
      form.append('model', 'sandbox/transcribe')
      const none = await fetch(`${router.base_url}/audio/transcriptions`, { method: 'POST', headers, body: form })
      expect(await errorOf(none)).toMatchObject({ status: 400, param: 'file' })
      expect((await post(router, '/audio/transcriptions', heard)).status).toBe(415)
    })
    expect(spent).toBe('0.000000000')
  })

  it('passes another provider’s own answer on, with the cost in JSON', async () => {
    const own = { text: 'hi', languages: [{ code: 'en' }], usage: { type: 'duration', seconds: 2 } }
    stub.answer = json(own)
    const ask = { model: 'openai/whisper-1' }
    const answer = await client.audio.transcriptions.create({ ...ask, file: await file() })
    expect(answer).toMatchObject({ ...own, usage: { type: 'duration', cost: expect.any(Number) } })
    const srt = '1\n00:00:00,000 --> 00:00:02,000\nhi\n\n'
    stub.answer = (response) => response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(srt)
    expect(
      await client.audio.transcriptions.create({ ...ask, file: await file(), response_format: 'srt' as 'json' }),
    ).toBe(srt)
  })
})
