// Transcripts: voices, words, streams, and the length that they are charged by, which is measured and not believed.
import type OpenAI from 'openai'
import { toFile } from 'openai'
import type { TranscriptionDiarized, TranscriptionVerbose } from 'openai/resources/audio/transcriptions'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { wavOf } from '../../src/protocols/sound/wav.ts'
import { json, sse } from '../providers/stub.ts'
import { clientOf, costOf, creditsOf, errorOf, eventually, get, post } from '../support/client.ts'
import { openTheatre, type Theatre } from '../theatre/site.ts'

let theatre: Theatre
let client: OpenAI
/** Spoken by the sandbox: two sentences, two seconds. */
let talk: Buffer
const TEXT = 'The heron is late. It flies again!'
beforeAll(async () => {
  theatre = await openTheatre()
  client = clientOf(theatre.router)
  const said = { model: 'sandbox/speech', voice: 'alloy', input: TEXT, response_format: 'wav' as const }
  talk = Buffer.from(await (await client.audio.speech.create(said)).arrayBuffer())
})
beforeEach(() => {
  theatre.stub.seen.length = 0
})
afterAll(() => theatre.close())

const heard = { model: 'sandbox/transcribe' }
const file = (data: Uint8Array = talk, name = 'talk.wav') => toFile(data, name)
const ask = async <Answer>(more: object): Promise<Answer> =>
  (await client.audio.transcriptions.create({ ...heard, file: await file(), ...more } as never)) as Answer
interface Heard {
  type: string
  delta?: string
  text?: string
  speaker?: string
  segment_id?: string
  usage?: object
}
async function stream(more: object): Promise<Heard[]> {
  const events: Heard[] = []
  const asked = { ...heard, file: await file(), ...more, stream: true as const }
  const told = (await client.audio.transcriptions.create(asked as never)) as unknown as AsyncIterable<Heard>
  for await (const event of told) events.push(event)
  return events
}
const textOf = (events: Heard[]) => events.map(({ delta = '' }) => delta).join('')
/** A form, of which the SDK has no type. */
function form(path: string, fields: Record<string, string>, more: Record<string, string> = {}) {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  body.append('file', new File([new Uint8Array(talk)], 'talk.wav'))
  const headers = { authorization: `Bearer ${theatre.router.api_key}`, ...more }
  return fetch(theatre.router.base_url + path, { method: 'POST', headers, body })
}

describe('words and segments', () => {
  const verbose = { response_format: 'verbose_json' }

  it('are told as they are asked for', async () => {
    const both = await ask<TranscriptionVerbose>({ ...verbose, timestamp_granularities: ['word', 'segment'] })
    expect(both.words?.map(({ word }) => word).join(' ')).toBe(TEXT)
    expect(both.segments?.length).toBe(2)
    for (const [index, { start, end }] of (both.words ?? []).entries()) {
      expect(end).toBeGreaterThan(start)
      expect(start).toBeGreaterThanOrEqual(both.words?.[index - 1]?.end ?? 0)
    }
    const words = await ask<TranscriptionVerbose>({ ...verbose, timestamp_granularities: ['word'] })
    expect([words.words?.length, words.segments]).toEqual([7, undefined])
    const segments = await ask<TranscriptionVerbose>({ ...verbose, timestamp_granularities: ['segment'] })
    expect([segments.words, segments.segments?.length]).toEqual([undefined, 2])
  })

  it('are kept with a job in the same way', async () => {
    const fields = { ...heard, ...verbose, 'timestamp_granularities[]': 'word' }
    const response = await form('/audio/transcriptions', fields, { prefer: 'respond-async' })
    expect(response.status).toBe(202)
    const { id } = (await response.json()) as { id: string }
    const kept = await eventually(async () => {
      const output = await get(theatre.router, `/jobs/${id}/outputs/0`)
      return output.status === 200 ? ((await output.json()) as TranscriptionVerbose) : undefined
    })
    expect([kept.words?.length, kept.segments]).toEqual([7, undefined])
  })

  it('are refused by name where the provider tells none', async () => {
    const asked = { model: 'stage/ears', ...verbose, timestamp_granularities: ['word'] }
    await expect(ask(asked)).rejects.toMatchObject({ status: 400, param: 'timestamp_granularities' })
  })
})

describe('voices', () => {
  const diarized = { response_format: 'diarized_json', chunking_strategy: 'auto' }

  it('are told apart', async () => {
    const answer = await ask<TranscriptionDiarized>(diarized)
    expect(answer).toMatchObject({
      task: 'transcribe',
      text: TEXT,
      duration: expect.closeTo(2.04, 1),
      segments: [
        { type: 'transcript.text.segment', id: 'seg_001', speaker: 'A', start: 0, text: 'The heron is late.' },
        { type: 'transcript.text.segment', id: 'seg_002', speaker: 'B', text: 'It flies again!' },
      ],
      usage: { type: 'duration', cost: expect.any(Number) },
    })
  })

  it('may be known by name, with a recording of each', async () => {
    const sample = (seconds: number) => {
      const wav = wavOf({ samples: new Int16Array(8000 * seconds), rate: 8000 })
      return `data:audio/wav;base64,${wav.toString('base64')}`
    }
    const named = { ...diarized, known_speaker_names: ['Ada', 'Bo'] }
    const answer = await ask<TranscriptionDiarized>({ ...named, known_speaker_references: [sample(2), sample(3)] })
    expect(answer.segments.map(({ speaker }) => speaker)).toEqual(['Ada', 'Bo'])
    for (const [more, param] of [
      [{ known_speaker_references: [sample(2)] }, 'known_speaker_references'],
      [{ known_speaker_references: [sample(1), sample(2)] }, 'known_speaker_references'],
      [{ known_speaker_references: [sample(2), sample(11)] }, 'known_speaker_references'],
      [{ known_speaker_references: ['https://x.test/a.wav', sample(2)] }, 'known_speaker_references[0]'],
      [{ known_speaker_names: ['a', 'b', 'c', 'd', 'e'] }, 'known_speaker_names'],
    ] as const) {
      const refused = ask({ ...named, ...more })
      await expect(refused, param).rejects.toMatchObject({
        status: 400,
        param: expect.stringContaining(param.slice(0, 20)),
      })
    }
  })

  it('are refused by name where the provider tells none apart, and of a translation', async () => {
    await expect(ask({ model: 'stage/ears', ...diarized })).rejects.toMatchObject({ param: 'response_format' })
    const translation = await form('/audio/translations', { ...heard, response_format: 'diarized_json' })
    expect(await errorOf(translation)).toMatchObject({ status: 400, param: 'response_format' })
  })

  it('are streamed: words, each sentence with its voice, the whole', async () => {
    const events = await stream(diarized)
    expect(textOf(events)).toBe(TEXT)
    expect(events.filter(({ type }) => type === 'transcript.text.segment')).toMatchObject([
      { id: 'seg_001', speaker: 'A', text: 'The heron is late.' },
      { id: 'seg_002', speaker: 'B', text: 'It flies again!' },
    ])
    expect(events[0]).toMatchObject({ type: 'transcript.text.delta', segment_id: 'seg_001' })
    expect(events.at(-1)).toMatchObject({
      type: 'transcript.text.done',
      text: TEXT,
      usage: { cost: expect.any(Number) },
    })
  })
})

describe('a stream', () => {
  it('is made of the whole answer where the provider has none', async () => {
    const events = await stream({ model: 'stage/ears' })
    expect(events.map(({ type, delta, text }) => [type, delta ?? text])).toEqual([
      ['transcript.text.delta', 'One.'],
      ['transcript.text.delta', ' Two.'],
      ['transcript.text.done', 'One. Two.'],
    ])
  })

  const event = (data: { type: string; [name: string]: unknown }) => `data: ${JSON.stringify(data)}\n\n`
  const usage = {
    type: 'tokens',
    input_tokens: 30,
    input_token_details: { audio_tokens: 25, text_tokens: 5 },
    output_tokens: 7,
    total_tokens: 37,
  }

  it('is passed on from a provider that streams, charged by its tokens', async () => {
    const logprobs = [{ token: 'Hi', logprob: -0.1, bytes: [72, 105] }]
    theatre.stub.answer = sse(
      event({ type: 'transcript.text.delta', delta: 'Hi', logprobs }) +
        event({ type: 'transcript.text.delta', delta: ' there.' }) +
        event({ type: 'transcript.text.done', text: 'Hi there.', languages: [{ code: 'en' }], logprobs, usage }),
      40,
    )
    const spent = await costOf(theatre.router, async () => {
      const events = await stream({ model: 'reel/ears', include: ['logprobs'] })
      expect(events).toEqual([
        { type: 'transcript.text.delta', delta: 'Hi', logprobs },
        { type: 'transcript.text.delta', delta: ' there.' },
        {
          type: 'transcript.text.done',
          text: 'Hi there.',
          languages: [{ code: 'en' }],
          logprobs,
          usage: { ...usage, cost: 0.0002325 },
        },
      ])
    })
    expect(spent).toBe('0.000232500')
    const sent = String(theatre.stub.seen[0]?.body)
    expect(sent).toContain('name="stream"\r\n\r\ntrue')
    expect(sent).toContain('name="include[]"\r\n\r\nlogprobs')
  })

  it('of voices is passed on with their names and samples asked for', async () => {
    const segment = { type: 'transcript.text.segment', id: 'seg_1', start: 0, end: 1, text: 'Hi.', speaker: 'Ada' }
    theatre.stub.answer = sse(
      event({ type: 'transcript.text.delta', delta: 'Hi.', segment_id: 'seg_1' }) +
        event(segment) +
        event({ type: 'transcript.text.done', text: 'Hi.', usage }),
    )
    const named = { response_format: 'diarized_json', chunking_strategy: 'auto', known_speaker_names: ['Ada'] }
    const events = await stream({ model: 'reel/ears', ...named })
    expect(events[1]).toEqual(segment)
    const sent = String(theatre.stub.seen[0]?.body)
    for (const part of ['chunking_strategy"\r\n\r\nauto', 'known_speaker_names[]"\r\n\r\nAda', 'diarized_json'])
      expect(sent).toContain(part)
  })

  it('that breaks off ends with an error and costs nothing', async () => {
    const { router } = theatre
    const spent = await costOf(router, async () => {
      theatre.stub.answer = sse(event({ type: 'transcript.text.delta', delta: 'Hi' }))
      await expect(stream({ model: 'reel/ears' })).rejects.toMatchObject({ error: { code: 'provider_error' } })
      theatre.stub.answer = json({ error: { message: 'bad language', param: 'language' } }, 400)
      await expect(stream({ model: 'reel/ears', language: 'xx' })).rejects.toMatchObject({
        status: 400,
        param: 'language',
      })
    })
    expect(spent).toBe('0.000000000')
  })

  it('where the provider ignores the wish is made of its answer', async () => {
    theatre.stub.answer = json({ text: 'Hi there.', languages: [{ code: 'en' }], usage })
    const events = await stream({ model: 'reel/ears' })
    expect(events).toMatchObject([
      { type: 'transcript.text.delta', delta: 'Hi there.' },
      { type: 'transcript.text.done', text: 'Hi there.', languages: [{ code: 'en' }], usage: { cost: 0.0002325 } },
    ])
  })
})

describe('the length of a recording', () => {
  /** Silence in the smallest AAC frames that there are: 1024 samples at 8 kHz in a few bytes. */
  function silence(seconds: number): Buffer {
    const frame = Buffer.from([0xff, 0xf1, 0x6c, 0x40, 0x01, 0x3f, 0xfc, 0x21, 0x00])
    return Buffer.concat(Array.from({ length: Math.ceil((seconds * 8000) / 1024) }, () => frame))
  }

  it('is measured: a header that lies changes nothing of the price', async () => {
    const lying = Buffer.from(talk)
    // The size of the samples, as if there were one.
    lying.writeUInt32LE(2, lying.indexOf('data') + 4)
    const honest = await ask<{ usage: { seconds: number } }>({})
    const liar = await ask<{ usage: { seconds: number } }>({ file: await file(lying) })
    expect(liar.usage.seconds).toBeGreaterThanOrEqual(honest.usage.seconds)
  })

  it('of nothing is refused: an empty file, a header without sound', async () => {
    const spent = await costOf(theatre.router, async () => {
      for (const data of [Buffer.alloc(0), talk.subarray(0, 44), Buffer.from('RIFF')]) {
        const refused = ask({ file: await file(data, 'nothing.wav') })
        await expect(refused).rejects.toMatchObject({
          param: 'file',
          status: expect.toSatisfy((status) => [400, 415].includes(status as number)),
        })
      }
    })
    expect(spent).toBe('0.000000000')
  })

  it('of ten silent hours is held and charged, or refused where the model takes no more', async () => {
    const hours = await file(silence(36_000), 'night.aac')
    const spent = await costOf(theatre.router, async () => {
      await expect(ask({ file: hours })).rejects.toMatchObject({ status: 400, param: 'file' })
      const answer = await ask<{ usage: { seconds: number } }>({ model: 'stage/ears', file: hours })
      expect(answer.usage.seconds).toBeCloseTo(36_000, -1)
    })
    expect(Number(spent)).toBeCloseTo(3.6, 2)
    await expect(ask({ model: 'stage/ears', file: hours, max_cost_usd: '3' })).rejects.toMatchObject({
      code: 'max_cost_exceeded',
    })
    expect((await creditsOf(theatre.router)).held_usd).toBe('0.000000000')
  })

  it('is told for an estimate, or measured for it', async () => {
    const { router } = theatre
    const told = await post(router, '/estimate', { operation: 'transcription', ...heard, seconds: 60 })
    expect(await told.json()).toMatchObject({ operation: 'transcription', hold_usd: '0.006000000' })
    const measured = (await (await form('/estimate', { operation: 'transcription', ...heard })).json()) as {
      lines: { quantity: number }[]
    }
    expect(measured.lines[0]?.quantity).toBeCloseTo(2.04, 1)
    const none = await post(router, '/estimate', { operation: 'transcription', ...heard })
    expect(await errorOf(none)).toMatchObject({ status: 400, param: 'seconds' })
  })
})
