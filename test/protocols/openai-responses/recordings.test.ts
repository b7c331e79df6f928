// Recorded responses of real providers: passed through they come out as they were, read as canonical events they say
// the same, in this format and in chat's; and recorded chats come out whole in this format.
import { describe, expect, it } from 'vitest'
import { type ChatEvent, type JsonObject, ProviderError } from '../../../src/contract.ts'
import { collect as collectChat } from '../../../src/protocols/openai-chat/answer.ts'
import { chatEvents } from '../../../src/protocols/openai-chat/events.ts'
import { collect } from '../../../src/protocols/openai-responses/answer.ts'
import { responseEvents } from '../../../src/protocols/openai-responses/events.ts'
import { openaiResponsesFront as front } from '../../../src/protocols/openai-responses/front.ts'
import { readResponsesRequest, toCanonical } from '../../../src/protocols/openai-responses/request.ts'
import { readUsage } from '../../../src/protocols/openai-responses/usage.ts'
import { readEvents } from '../../../src/protocols/sse.ts'
import { WireError } from '../../../src/protocols/wire_error.ts'
import { haveRecordings, type Recording, recordingsOf } from '../../providers/recordings.ts'

const isResponse = ({ endpoint, response }: Recording) =>
  response.status === 200 && /\/responses(?:\/resp_[^/]*)?$/.test(endpoint?.path.split('?')[0] ?? '')
const isStream = ({ response }: Recording) => /^(?:event|data|:)/.test(response.body_text ?? '')

const recorded = ['openai', 'openrouter', 'xai'].flatMap(recordingsOf).filter(isResponse)
/** Recordings whose deltas were shortened by hand: they do not add up to what is said to be done. */
const SHORTENED = ['openai-b1ed891dcc10', 'openai-4a519fad9c3d']
const streams = recorded.filter(isStream).map(({ id, response }) => [id, response.body_text ?? ''] as const)
const answers = recorded.flatMap(({ id, response, ...rest }) => {
  if (isStream({ id, response })) return []
  const answer = JSON.parse(response.body_text ?? '') as JsonObject
  return answer.object === 'response' ? [{ id, answer, ...rest }] : []
})
const HEAD = { id: 'x', created: 1, model: 'm' }

describe.skipIf(!haveRecordings)('recorded responses (../shared/recordings)', () => {
  it('are there', () => {
    expect(streams.length).toBeGreaterThan(20)
    expect(answers.length).toBeGreaterThan(100)
  })

  it.each(streams)('forwards the stream %s as it came, its end with the cost', (_id, text) => {
    const tap = front.tap?.({}, 'Recorded')
    if (!tap) throw new Error('The format passes through.')
    const sent: Uint8Array[] = []
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += 1000) {
      sent.push(tap.push(bytes.subarray(at, at + 1000)) ?? Buffer.alloc(0))
    }
    const end = tap.finish()
    const said = readEvents(text).flatMap(({ data }) => (data === '[DONE]' ? [] : [JSON.parse(data)]))
    const last = said.at(-1)
    if (end.error) {
      expect(last.type).toBe('response.failed')
      expect(end.complete).toBe(false)
      return
    }
    expect(end).toMatchObject({ complete: true, usage: readUsage(last.response), has_output: true })
    const tail = tap.tail('0.000000123', { meters: {}, source: 'counted' })
    const got = readEvents(Buffer.concat([...sent, tail]).toString()).map(({ data }) => JSON.parse(data))
    expect(got.at(-1).response.usage).toMatchObject({ cost: 1.23e-7 })
    for (const { response } of [got.at(-1), last]) delete response.usage.cost
    // Printed anew, -0 is 0.
    expect(JSON.stringify(got)).toBe(JSON.stringify(said))
    expect(tap.answer?.().output).toEqual(last.response.output)
  })

  const sound = streams.filter(([id]) => !SHORTENED.includes(id))
  it.each(sound)('reads the stream %s as canonical events that say the same in both formats', async (_id, text) => {
    const events = await readAll(responseEvents(oneChunk(text), 'Recorded', 0))
    if (!events) {
      expect(text).toContain('response.failed')
      return
    }
    const { response } = readEvents(text)
      .filter(({ data }) => data !== '[DONE]')
      .map(({ data }) => JSON.parse(data))
      .at(-1)
    expect(events.filter(({ type }) => type === 'usage')).toEqual([events.at(-1)])
    const own = await collect(list(events), HEAD, {})
    expect(gist(own.answer)).toEqual(gist(response))
    expect(own.end).toMatchObject({ complete: true, usage: readUsage(response) })
    const chat = await collectChat(list(events), HEAD)
    const { words, calls } = gist(response)
    const message = (chat.answer.choices as { message: Record<string, unknown> }[])[0]?.message
    expect(message?.content ?? '').toBe(words)
    expect((message?.tool_calls as unknown[] | undefined)?.length ?? 0).toBe(calls.length)
    expect(chat.finish_reasons).toEqual([calls.length > 0 ? 'tool_calls' : 'stop'])
  })

  it('finds usage, ends and output in every whole answer', () => {
    for (const { id, answer } of answers) {
      if (['queued', 'in_progress'].includes(String(answer.status))) continue
      const end = front.readAnswer?.(answer)
      expect(end?.usage?.meters.output_tokens, id).toBeDefined()
      expect(end?.complete, id).toBe(true)
    }
  })

  it('accepts the requests and bounds their input from above', () => {
    let accepted = 0
    for (const { id, answer, request } of answers) {
      const { body } = request ?? {}
      if (!body?.model || body.previous_response_id) continue
      try {
        expect(readResponsesRequest(body)).toBe(body)
      } catch (error) {
        if (!(error instanceof WireError)) throw error
        expect(`${error.param}`, id).toMatch(/^(?:conversation|tools\[\d\]\.type)$/)
        continue
      }
      accepted++
      const meters = readUsage(answer)?.meters ?? {}
      const { output_tokens: _output, web_searches, ...input } = meters
      if (web_searches || JSON.stringify(body).includes('"file_url"')) continue
      const used = Object.values(input).reduce((total, each) => total + each, 0)
      expect(front.inputUpperBound(body as JsonObject).input_tokens, id).toBeGreaterThanOrEqual(used)
    }
    expect(accepted).toBeGreaterThan(50)
  })

  it('puts every request into canonical form, or names what only this protocol has', () => {
    let translated = 0
    for (const { id, request } of answers) {
      if (!request?.body?.model) continue
      try {
        const { messages } = toCanonical(request.body)
        expect(messages.length, id).toBeGreaterThan(0)
        translated++
      } catch (error) {
        if (!(error instanceof WireError)) throw error
        expect(error.param, id).toMatch(
          /^(?:tools\[\d+\]|input\[\d+\]|provider|context_management|moderation|truncation|prompt|tool_choice)/,
        )
      }
    }
    expect(translated).toBeGreaterThan(50)
  })

  it.each(['openai', 'groq', 'deepseek', 'mistral', 'openrouter', 'xai'])(
    'says what recorded chats of %s said',
    async (provider) => {
      const chats = recordingsOf(provider).filter(
        ({ endpoint, response }) =>
          response.status === 200 &&
          /chat\/completions/.test(endpoint?.path ?? '') &&
          /^(?:data|:)/.test(response.body_text ?? ''),
      )
      for (const { id, response } of chats) {
        const events = await readAll(chatEvents(oneChunk(response.body_text ?? ''), 'Recorded', 0))
        if (!events || events.some((event) => 'choice' in event && event.choice > 0)) continue
        const chat = await collectChat(list(events), HEAD)
        const { answer, end } = await collect(list(events), HEAD, {})
        const message = (chat.answer.choices as { message: Record<string, unknown> }[])[0]?.message
        const { words, thoughts, calls } = gist(answer)
        expect(words, id).toBe(`${message?.content ?? ''}`)
        expect(thoughts, id).toBe(message?.reasoning_content ?? '')
        expect(
          calls.map(({ arguments: words }) => words),
          id,
        ).toEqual(
          ((message?.tool_calls as { function: { arguments: string } }[] | undefined) ?? []).map(
            (call) => call.function.arguments,
          ),
        )
        expect(end.usage, id).toEqual(chat.usage)
        expect(end.has_output, id).toBe(chat.has_output)
      }
    },
  )
})

interface Item {
  type: string
  text?: string
  content?: { type: string; text?: string; refusal?: string }[]
  summary?: { text: string }[]
  call_id?: string
  name?: string
  namespace?: string
  arguments?: string
  input?: string
}

/** What an answer says, without the ids of its items and what only its provider knows. */
function gist(answer: JsonObject) {
  const items = answer.output as unknown as Item[]
  const parts = items.flatMap((item) => (item.type === 'message' ? (item.content ?? []) : []))
  return {
    status: answer.status,
    words: parts.map(({ text }) => text ?? '').join(''),
    refusals: parts.map(({ refusal }) => refusal ?? '').join(''),
    thoughts: items
      .filter(({ type }) => type === 'reasoning')
      .map(({ summary, content }) =>
        [...(content ?? []), ...(summary ?? [])].map(({ text }) => text ?? '').join('\n\n'),
      )
      .filter(Boolean)
      .join(''),
    calls: items
      .filter(({ type }) => type === 'function_call' || type === 'custom_tool_call')
      .map(({ type, call_id, name, namespace, input, arguments: words }) => ({
        type,
        call_id,
        name,
        namespace,
        arguments: words ?? input,
      })),
  }
}

/** Undefined where the provider failed. */
async function readAll(events: AsyncIterable<ChatEvent>): Promise<ChatEvent[] | undefined> {
  try {
    return await Array.fromAsync(events)
  } catch (error) {
    if (error instanceof ProviderError) return undefined
    throw error
  }
}
async function* oneChunk(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
async function* list(events: ChatEvent[]): AsyncGenerator<ChatEvent> {
  yield* events
}
