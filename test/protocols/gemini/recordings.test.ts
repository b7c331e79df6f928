// Recorded answers of Google, replayed byte for byte by a stub: what is forwarded is what it sent, what is translated says
// the same in OpenAI's format, and no request was larger than its upper bound.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Call, JsonObject } from '../../../src/contract.ts'
import { readAnswer, readStream } from '../../../src/protocols/gemini/answer.ts'
import { inputUpperBound } from '../../../src/protocols/gemini/estimate.ts'
import { geminiEvents } from '../../../src/protocols/gemini/events.ts'
import { geminiGenerateContent } from '../../../src/protocols/gemini/provider.ts'
import { readGeminiRequest, toCanonical } from '../../../src/protocols/gemini/request.ts'
import { GeminiTap } from '../../../src/protocols/gemini/tap.ts'
import { readUsage } from '../../../src/protocols/gemini/usage.ts'
import * as openai from '../../../src/protocols/openai-chat/answer.ts'
import { readEvents } from '../../../src/protocols/sse.ts'
import { makeProviderFetch, readBody } from '../../../src/protocols/transport.ts'
import { WireError } from '../../../src/protocols/wire_error.ts'
import { haveRecordings, type Recording, recordingsOf } from '../../providers/recordings.ts'
import { Stub } from '../../providers/stub.ts'

const recorded = recordingsOf('gemini').filter(
  ({ endpoint, response }) => /:(?:stream)?[gG]enerateContent/.test(endpoint?.path ?? '') && response.status === 200,
)
const textOf = ({ response }: Recording) => response.body_text ?? ''
const streams = recorded
  .filter((recording) => /^data: \{"?\s*"candidates"/.test(textOf(recording)))
  .map((recording) => [recording.id, textOf(recording)] as const)
const answers = recorded
  .filter((recording) => /^\s*\{/.test(textOf(recording)) && /"candidates"/.test(textOf(recording)))
  .map((recording) => [recording.id, JSON.parse(textOf(recording)) as JsonObject] as const)

interface Part extends Record<string, unknown> {
  text?: string
  thought?: boolean
  functionCall?: { name: string; args: object }
}
interface Candidate {
  content?: { parts?: Part[] }
  finishReason?: string
}
const candidateOf = ({ candidates }: JsonObject) => (candidates as unknown as Candidate[])[0] as Candidate
const partsOf = (answer: JsonObject) => candidateOf(answer).content?.parts ?? []
const wordsOf = (answer: JsonObject, thought: boolean) =>
  partsOf(answer)
    .filter((part) => (part.thought ?? false) === thought)
    .map(({ text }) => text ?? '')
    .join('')

const FINISHES: Record<string, string> = { STOP: 'stop', MAX_TOKENS: 'length', SAFETY: 'content_filter' }
const call: Call = {
  job: 'job_1',
  upstream: 'gemini-x',
  options: {},
  signal: new AbortController().signal,
  log: { debug: () => {}, warn: () => {} },
}

async function* bytesOf(text: string) {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700)
}

/** What a caller of OpenAI's format gets of it. */
const translated = async (stream: string) =>
  openai.collect(geminiEvents(bytesOf(stream), 'Google', { input_bytes: 0 }), { id: 'x', created: 1, model: 'm' })

async function expectSame(stream: string, answer: JsonObject): Promise<void> {
  const { answer: theirs, usage } = await translated(stream)
  const [choice] = theirs.choices as { message: JsonObject; finish_reason: string }[]
  const calls = partsOf(answer).flatMap(({ functionCall }) => functionCall ?? [])
  expect(choice?.message.content ?? '').toBe(wordsOf(answer, false))
  expect(choice?.message.reasoning_content ?? '').toBe(wordsOf(answer, true))
  const made = (choice?.message.tool_calls ?? []) as { function: { name: string; arguments: string } }[]
  expect(made.map((each) => [each.function.name, JSON.parse(each.function.arguments)])).toEqual(
    calls.map(({ name, args }) => [name, args ?? {}]),
  )
  const end = FINISHES[candidateOf(answer).finishReason ?? '']
  expect(choice?.finish_reason).toBe(end === 'stop' && calls.length > 0 ? 'tool_calls' : end)
  const { web_searches: _, ...meters } = usage?.meters ?? {}
  expect(meters).toEqual(readUsage(answer.usageMetadata)?.meters)
}

describe.skipIf(!haveRecordings)('recorded answers (../shared/recordings)', () => {
  let stub: Stub
  let fetch: ReturnType<typeof makeProviderFetch>
  let text = ''
  beforeAll(async () => {
    stub = await new Stub().start()
    fetch = makeProviderFetch({ provider: 'Google' })
    stub.answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const bytes = Buffer.from(text)
      for (let at = 0; at < bytes.length; at += 1000) response.write(bytes.subarray(at, at + 1000))
      response.end()
    }
  })
  afterAll(async () => {
    await stub.stop()
    await fetch.close()
  })
  const connect = () => geminiGenerateContent({ provider: 'Google', base_url: stub.url, api_key: 'k', fetch })

  it('are there in numbers', () => {
    expect(streams.length).toBeGreaterThan(20)
    expect(answers.length).toBeGreaterThan(200)
  })

  it.each(streams)('the stream %s is forwarded as it came, with its cost in the last chunk', async (_id, recording) => {
    text = recording
    const answer = await connect().forward?.({ model: 'x', stream: true, contents: [] }, call)
    expect(stub.seen.at(-1)).toMatchObject({
      path: '/v1beta/models/gemini-x:streamGenerateContent?alt=sse',
      headers: { 'x-goog-api-key': 'k' },
    })
    const tap = new GeminiTap('Google')
    const sent: Uint8Array[] = []
    for await (const chunk of answer?.body ?? []) sent.push(tap.push(chunk) ?? Buffer.alloc(0))
    const forwarded = Buffer.concat(sent).toString()
    expect(recording.startsWith(forwarded)).toBe(true)
    const end = tap.finish()
    expect(end).toMatchObject({ complete: true, has_output: true, usage: { source: 'reported' } })
    const tail = Buffer.from(tap.tail('0.5', { meters: {}, source: 'counted' })).toString()
    const said = readEvents(recording).map(({ data }) => JSON.parse(data))
    const got = readEvents(forwarded + tail).map(({ data }) => JSON.parse(data))
    expect(got.at(-1).usageMetadata.cost).toBe(0.5)
    delete got.at(-1).usageMetadata.cost
    expect(got).toEqual(said)
  })

  // Arguments that come in pieces must be asked for, which no other format can.
  const whole = streams.filter(([, text]) => !text.includes('partialArgs'))
  it.each(whole)('the stream %s says the same in OpenAI’s format', async (_id, recording) => {
    await expectSame(recording, readStream(Buffer.from(recording)))
  })

  it('whole answers say the same in OpenAI’s format, usage included', async () => {
    for (const [id, answer] of answers) {
      const read = readAnswer(answer)
      expect(read.usage, id).toBeDefined()
      expect(read.has_output, id).toBe(partsOf(answer).length > 0 && wordsOrMore(answer))
      await expectSame(`data: ${JSON.stringify(answer)}\r\n\r\n`, answer)
    }
  })

  it('a whole answer is asked for at its own address', async () => {
    text = '{"candidates":[]}'
    const answer = await connect().forward?.({ model: 'x', stream: false, contents: [], generationConfig: {} }, call)
    expect(String(answer && (await readBody(answer, 100)))).toBe(text)
    expect(stub.seen.at(-1)?.path).toBe('/v1beta/models/gemini-x:generateContent')
    expect(String(stub.seen.at(-1)?.body)).toBe('{"contents":[],"generationConfig":{}}')
  })

  it('requests are accepted, put into canonical form or refused by name, and bounded from above', () => {
    let bounded = 0
    for (const { id, request, response } of recorded) {
      const body = request?.body as JsonObject | undefined
      // Of some files only the length was kept.
      if (!body?.contents || JSON.stringify(body).includes('@@omitted')) continue
      const read = acceptedOr(() => readGeminiRequest({ ...body, model: 'm', stream: false }))
      // What was kept in that project's account at Google.
      if (!read) continue
      acceptedOr(() => toCanonical(read))
      const last = /^\s*\{/.test(response.body_text ?? '') ? JSON.parse(response.body_text ?? '') : undefined
      const { output_tokens: _o, output_image_tokens: _i, ...input } = readUsage(last?.usageMetadata)?.meters ?? {}
      const used = Object.values(input).reduce((total, each) => total + each, 0)
      const { input_tokens = 0, input_audio_tokens = 0 } = inputUpperBound(read)
      expect(input_tokens + input_audio_tokens, id).toBeGreaterThanOrEqual(used)
      expect(input_audio_tokens, id).toBeGreaterThanOrEqual(input.input_audio_tokens ?? 0)
      bounded++
    }
    expect(bounded).toBeGreaterThan(150)
  })
})

const wordsOrMore = (answer: JsonObject) =>
  partsOf(answer).some(({ text, ...rest }) => text || Object.keys(rest).length > 1 || !('text' in rest))

function acceptedOr<Result>(work: () => Result): Result | undefined {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    expect(error.param).toMatch(/\w/)
    return undefined
  }
}
