// Recordings written down by Google, ElevenLabs and Deepgram, through the whole router: in every format, with speakers and
// words, at their price, and nothing taken from the caller in silence.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { TRANSCRIPT as deepgramTranscript } from '../../fixtures/deepgram.ts'
import { TRANSCRIPT as elevenTranscript } from '../../fixtures/elevenlabs.ts'
import { type Answer, type Caller, Site } from '../../flow/site.ts'
import { SOUND_SECONDS, wav } from '../../media/samples.ts'
import { json, Stub } from '../stub.ts'

const stub = new Stub()
let site: Site
let caller: Caller
beforeAll(async () => {
  await stub.start()
  site = await Site.open({
    environment: {
      GEMINI_API_KEY: 'gm-key',
      GEMINI_BASE_URL: stub.url,
      ELEVENLABS_API_KEY: 'el-key',
      ELEVENLABS_BASE_URL: stub.url,
      DEEPGRAM_API_KEY: 'dg-key',
      DEEPGRAM_BASE_URL: stub.url,
    },
  })
})
afterAll(async () => {
  await site.close()
  await stub.stop()
})
beforeEach(async () => {
  stub.seen.length = 0
  caller = await site.caller('1')
})

function transcribe(model: string, fields: Record<string, string> = {}, path = 'transcriptions'): Promise<Answer> {
  const form = new FormData()
  for (const [name, value] of Object.entries({ model, ...fields })) form.set(name, value)
  form.set('file', new Blob([wav], { type: 'audio/wav' }), 'hello.wav')
  return caller.send(`/v1/audio/${path}`, form)
}
const spent = async () => (await caller.credits()).settled_usd
const heard = { start: expect.any(Number), end: expect.any(Number) }

describe.each([
  ['elevenlabs/scribe_v2', elevenTranscript, 0.22 / 3600, 0.22 / 3600],
  ['deepgram/nova-3', deepgramTranscript, 0.0092 / 60, 0.0112 / 60],
])('%s', (model, transcript, price, price_with_speakers) => {
  beforeEach(() => {
    stub.answer = json(transcript)
  })
  // Deepgram says that it heard a second and a half.
  const seconds = model.startsWith('deepgram') ? 1.5 : SOUND_SECONDS

  it('writes a text, and is paid by the second', async () => {
    const answer = await transcribe(model)
    expect(answer.json).toMatchObject({ text: 'The points are set. All clear.' })
    expect(Number(await spent())).toBeCloseTo(seconds * price, 8)
    expect(answer.cost_usd).toBe(await spent())
  })

  it('writes subtitles by the sentence', async () => {
    const { text } = await transcribe(model, { response_format: 'srt' })
    expect(text.match(/-->/g)?.length).toBe(2)
    expect(text).toMatch(/^1\n00:00:00,\d{3} --> 00:00:00,900\nThe points are set\.\n\n2\n00:00:01,100 --> /)
  })

  it('tells words with their times to a caller who asks for them', async () => {
    const answer = await transcribe(model, { response_format: 'verbose_json', 'timestamp_granularities[]': 'word' })
    expect(answer.json.words[0]).toEqual({ word: 'The', ...heard })
    expect(answer.json.words.length).toBe(6)
  })

  it('tells voices apart for a caller who asks for it, at the price of that', async () => {
    const answer = await transcribe(model, { response_format: 'diarized_json' })
    expect(answer.json.segments).toMatchObject([
      { speaker: 'A', text: 'The points are set.', ...heard },
      { speaker: 'B', text: 'All clear.', ...heard },
    ])
    expect(Number(await spent())).toBeCloseTo(seconds * price_with_speakers, 8)
  })

  it('takes neither a prompt nor a translation, and says so before anything is held', async () => {
    const prompted = await transcribe(model, { prompt: 'Names: Ada' })
    expect([prompted.status, prompted.json.error.param]).toEqual([400, 'prompt'])
    const translated = await transcribe(model, {}, 'translations')
    expect([translated.status, translated.json.error.param]).toEqual([400, 'model'])
    expect(stub.seen).toEqual([])
    expect(await spent()).toBe('0.000000000')
  })
})

describe('deepgram/nova-3', () => {
  it('is sent the file itself, and costs less in a language that is named', async () => {
    stub.answer = json(deepgramTranscript)
    await transcribe('deepgram/nova-3', { language: 'de' })
    const [seen] = stub.seen
    expect(seen?.path).toBe('/v1/listen?model=nova-3&smart_format=true&utterances=true&language=de')
    expect(seen?.headers).toMatchObject({ authorization: 'Token dg-key', 'content-type': 'audio/wav' })
    expect(seen?.body.equals(wav)).toBe(true)
    expect(Number(await spent())).toBeCloseTo((1.5 * 0.0077) / 60, 8)
  })
})

describe('elevenlabs/scribe_v2', () => {
  it('is sent a form in its own words', async () => {
    stub.answer = json(elevenTranscript)
    await transcribe('elevenlabs/scribe_v2', { language: 'en', response_format: 'diarized_json' })
    const [seen] = stub.seen
    expect(seen?.path).toBe('/v1/speech-to-text')
    const type = { 'content-type': seen?.headers['content-type'] ?? '' }
    const form = await new Response(new Uint8Array(seen?.body ?? []), { headers: type }).formData()
    const { file, ...fields } = Object.fromEntries(form)
    expect(fields).toEqual({
      model_id: 'scribe_v2',
      language_code: 'en',
      timestamps_granularity: 'word',
      tag_audio_events: 'false',
      diarize: 'true',
    })
    expect(Buffer.from(await (file as File).arrayBuffer()).equals(wav)).toBe(true)
  })
})

describe('google/gemini-2.5-flash', () => {
  const answer = {
    candidates: [
      { content: { role: 'model', parts: [{ text: 'The points are set.\n' }] }, finishReason: 'STOP', index: 0 },
    ],
    usageMetadata: {
      promptTokenCount: 130,
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 34 },
        { modality: 'AUDIO', tokenCount: 96 },
      ],
      candidatesTokenCount: 6,
      thoughtsTokenCount: 20,
      totalTokenCount: 156,
    },
  }

  it('listens, is told what the recording is about, and is paid by the token', async () => {
    stub.answer = json(answer)
    const { json: body } = await transcribe('google/gemini-2.5-flash', { prompt: 'a railway', language: 'en' })
    expect(body.text).toBe('The points are set.')
    const sent = JSON.parse(String(stub.seen[0]?.body))
    const [file, words] = sent.contents[0].parts
    expect(file.inlineData).toEqual({ mimeType: 'audio/wav', data: wav.toString('base64') })
    expect(words.text).toMatch(/word for word.*"en"[\s\S]*a railway/)
    // 34 words and 96 of sound read, 26 written and thought.
    expect(await spent()).toBe('0.000171200')
  })

  it('translates into English', async () => {
    stub.answer = json(answer)
    expect((await transcribe('google/gemini-2.5-flash', {}, 'translations')).status).toBe(200)
    expect(String(stub.seen[0]?.body)).toContain('into English')
  })

  it('writes no subtitles, for the times would be invented', async () => {
    const { status, json: body } = await transcribe('google/gemini-2.5-flash', { response_format: 'vtt' })
    expect([status, body.error.param]).toEqual([400, 'response_format'])
    expect(stub.seen).toEqual([])
  })

  it('is free when it was cut off, and when it says nothing', async () => {
    stub.answer = json({ ...answer, candidates: [{ ...answer.candidates[0], finishReason: 'MAX_TOKENS' }] })
    expect((await transcribe('google/gemini-2.5-flash')).status).toBe(502)
    stub.answer = json({ ...answer, candidates: [{ finishReason: 'STOP', index: 0 }] })
    expect((await transcribe('google/gemini-2.5-flash')).status).toBe(502)
    expect(await spent()).toBe('0.000000000')
  })
})
