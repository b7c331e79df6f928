// Recorded messages of Anthropic, replayed byte for byte by a stub: what is forwarded is what it sent, what is translated
// says the same in OpenAI's format, and no request was larger than its upper bound.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Call, JsonObject } from '../../../src/contract.ts'
import { collect, readAnswer, readStream } from '../../../src/protocols/anthropic-messages/answer.ts'
import { inputUpperBound } from '../../../src/protocols/anthropic-messages/estimate.ts'
import { messageEvents } from '../../../src/protocols/anthropic-messages/events.ts'
import { anthropicMessages } from '../../../src/protocols/anthropic-messages/provider.ts'
import { readMessagesRequest, toCanonical } from '../../../src/protocols/anthropic-messages/request.ts'
import { MessageTap } from '../../../src/protocols/anthropic-messages/tap.ts'
import { readUsage, writeUsage } from '../../../src/protocols/anthropic-messages/usage.ts'
import * as openai from '../../../src/protocols/openai-chat/answer.ts'
import { chatEvents } from '../../../src/protocols/openai-chat/events.ts'
import { readEvents } from '../../../src/protocols/sse.ts'
import { makeProviderFetch } from '../../../src/protocols/transport.ts'
import { WireError } from '../../../src/protocols/wire_error.ts'
import { haveRecordings, type Recording, recordingsOf } from '../../providers/recordings.ts'
import { Stub } from '../../providers/stub.ts'

const isMessages = ({ endpoint, response }: Recording) =>
  /^\/v1\/messages(\?|$)/.test(endpoint?.path ?? '') && response.status === 200
const isStream = ({ response }: Recording) => /^event: message_start/m.test(response.body_text ?? '')

const recorded = recordingsOf('anthropic').filter(isMessages)
/** Some recordings hold the streams of several calls, one after the other. */
const streams = recorded
  .filter(isStream)
  .flatMap(({ id, response }) =>
    (response.body_text ?? '')
      .split(/(?=^event: message_start)/m)
      .filter((part) => part.startsWith('event: message_start'))
      .map((text, index) => [`${id}#${index}`, text.includes('\r') ? text.replace(/\r\n/g, '\n') : text] as const),
  )
  .filter(([, text]) => text.includes('message_stop'))
const answers = recorded
  .filter((recording) => !isStream(recording) && /"type":\s*"message"/.test(recording.response.body_text ?? ''))
  .map(({ id, response }) => [id, JSON.parse(response.body_text ?? '') as JsonObject] as const)

interface Block extends Record<string, unknown> {
  type: string
}
const contentOf = (message: JsonObject) => message.content as unknown as Block[]
const textOf = (message: JsonObject) =>
  contentOf(message)
    .map(({ text }) => text ?? '')
    .join('')
const callsOf = (message: JsonObject) =>
  contentOf(message)
    .filter(({ type }) => type === 'tool_use')
    .map(({ id, name, input }) => ({ id, name, input }))

async function* bytesOf(text: string) {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700)
}
const head = { id: 'x', created: 1, model: 'm' }
const withoutCost = ({ cost: _, ...usage }: Record<string, unknown>) => usage

describe.skipIf(!haveRecordings)('recorded messages (../shared/recordings)', () => {
  let stub: Stub
  let fetch: ReturnType<typeof makeProviderFetch>
  let text = ''
  beforeAll(async () => {
    stub = await new Stub().start()
    fetch = makeProviderFetch({ provider: 'Recorded' })
    stub.answer = async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for await (const piece of bytesOf(text)) response.write(piece)
      response.end()
    }
  })
  afterAll(async () => {
    await stub.stop()
    await fetch.close()
  })
  const call: Call = {
    job: 'job_1',
    upstream: 'm',
    options: {},
    signal: new AbortController().signal,
    log: { debug: () => {}, warn: () => {} },
  }

  it.each(streams)('forwards the stream %s as it came, its end with the cost', async (_id, said) => {
    text = said
    const connection = anthropicMessages({ provider: 'Recorded', base_url: stub.url, api_key: 'k', fetch })
    const answer = await connection.forward?.({}, call)
    const tap = new MessageTap('Recorded')
    const sent: Uint8Array[] = []
    for await (const chunk of answer?.body ?? []) sent.push(tap.push(chunk) ?? Buffer.alloc(0))
    const end = tap.finish()
    expect(end).toMatchObject({ complete: true, has_output: contentOf(readStream(Buffer.from(said))).length > 0 })
    const forwarded = Buffer.concat(sent).toString()
    expect(said.startsWith(forwarded)).toBe(true)
    const counted = { meters: {}, source: 'counted' as const }
    const whole = readEvents(forwarded + Buffer.from(tap.tail('0.000000001', end.usage ?? counted)).toString())
    const theirs = readEvents(said)
    // Where the first event said it all, the usage gets an event of its own.
    if (!said.includes('message_delta')) whole.splice(-2, 1)
    expect(whole.length).toBe(theirs.length)
    for (const [index, event] of theirs.entries()) {
      const ours = JSON.parse(whole[index]?.data ?? '')
      if (ours.usage?.cost !== undefined) {
        expect(ours.usage.cost).toBe(0.000000001)
        ours.usage = withoutCost(ours.usage)
      }
      expect([whole[index]?.event, ours]).toEqual([event.event, JSON.parse(event.data)])
    }
    expect(Buffer.from(tap.tail('0.000000001', end.usage ?? counted)).toString()).toContain('"cost":0.000000001}')
  })

  it.each(streams)('says the same in OpenAI’s format: %s', async (_id, said) => {
    const message = readStream(Buffer.from(said))
    const { answer, usage, finish_reasons } = await openai.collect(messageEvents(bytesOf(said), 'Recorded'), head)
    const [choice] = answer.choices as unknown as { message: Record<string, unknown> }[]
    expect(choice?.message.content ?? '').toBe(textOf(message))
    const calls = (choice?.message.tool_calls ?? []) as { id: string; function: { name: string; arguments: string } }[]
    expect(
      calls.map(({ id, function: { name, arguments: words } }) => ({ id, name, input: JSON.parse(words) })),
    ).toEqual(callsOf(message))
    const ends: Record<string, string> = { end_turn: 'stop', tool_use: 'tool_calls', max_tokens: 'length' }
    const end = ends[String(message.stop_reason)]
    if (end) expect(finish_reasons).toEqual([end])
    expect(usage).toEqual(readUsage(message.usage))
  })

  it.each(streams)('comes through canonical form whole: %s', async (_id, said) => {
    const message = readStream(Buffer.from(said))
    const { answer, end } = await collect(messageEvents(bytesOf(said), 'Recorded'), head)
    expect(textOf(answer)).toBe(textOf(message))
    expect(callsOf(answer)).toEqual(callsOf(message))
    const thoughts = (from: JsonObject) =>
      contentOf(from)
        .filter(({ type, thinking, signature }) => type === 'redacted_thinking' || thinking || signature)
        .filter(({ type }) => type.includes('thinking'))
    expect(thoughts(answer)).toEqual(thoughts(message))
    expect(answer.stop_reason).toBe(message.stop_reason)
    expect(end.complete).toBe(true)
  })

  it.each(answers)('reads the answer %s and its usage', (_id, answer) => {
    const end = readAnswer(answer)
    expect(end.complete).toBe(true)
    const raw = answer.usage as Record<string, number>
    expect(end.usage?.raw).toEqual(raw)
    const meters = end.usage?.meters ?? {}
    const { input_tokens = 0, cached_input_tokens = 0, cache_write_tokens = 0, cache_write_1h_tokens = 0 } = meters
    expect(input_tokens + cached_input_tokens + cache_write_tokens + cache_write_1h_tokens).toBeGreaterThanOrEqual(
      (raw.input_tokens ?? 0) + (raw.cache_read_input_tokens ?? 0) + (raw.cache_creation_input_tokens ?? 0),
    )
    if (!Array.isArray(raw.iterations)) {
      expect(readUsage(writeUsage({ meters, source: 'reported' }))?.meters).toEqual(meters)
    }
  })

  const requests = recorded.filter(({ request }) => request?.body && typeof request.body === 'object')
  it('accepts every recorded request, but for those that other models would be paid for', () => {
    const refused = requests.flatMap(({ id, request }) => {
      try {
        readMessagesRequest(request?.body)
        return []
      } catch (error) {
        if (!(error instanceof WireError)) throw error
        return [[id, error.param, error.message]]
      }
    })
    expect(refused.filter(([, param]) => !/^tools\[\d+\]$/.test(String(param)))).toEqual([])
    expect(refused.length).toBeLessThan(requests.length / 20)
  })

  it('never holds for less than a request came to', () => {
    const measured = requests.filter((recording) => !isStream(recording))
    for (const { id, request, response } of measured) {
      const { usage } = JSON.parse(response.body_text ?? '') as { usage: Record<string, number> }
      const used =
        (usage.input_tokens ?? 0) + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0)
      expect(inputUpperBound(request?.body ?? {}).input_tokens, id).toBeGreaterThanOrEqual(used)
    }
    expect(measured.length).toBeGreaterThan(100)
  })

  it('puts what other protocols can say into canonical form, and names what they cannot', () => {
    const said = requests.map(({ request }) => {
      try {
        return toCanonical(request?.body).messages.length > 0
      } catch (error) {
        if (!(error instanceof WireError)) throw error
        return error.param
      }
    })
    expect(said.filter((param) => param === null)).toEqual([])
    expect(said.filter((each) => each === true).length).toBeGreaterThan(said.length / 2)
  })
})

const chats = recordingsOf('openai')
  .filter(
    ({ response }) => response.status === 200 && /^data: .*"chat.completion.chunk"/.test(response.body_text ?? ''),
  )
  .map(({ id, response }) => [id, response.body_text ?? ''] as const)

describe.skipIf(!haveRecordings)('recorded chats of OpenAI in Anthropic’s format', () => {
  it.each(chats)('%s', async (_id, said) => {
    const theirs = openai.readStream(Buffer.from(said))
    const [choice] = theirs.choices as unknown as { message: Record<string, unknown>; finish_reason: string }[]
    if ((theirs.choices as unknown[]).length !== 1) return
    const { answer, end } = await collect(chatEvents(bytesOf(said), 'Recorded', 0), head)
    expect(textOf(answer)).toBe(`${choice?.message.content ?? ''}${choice?.message.refusal ?? ''}`)
    const calls = (choice?.message.tool_calls ?? []) as { id: string; function: { name: string; arguments: string } }[]
    expect(callsOf(answer)).toEqual(
      calls.map(({ id, function: { name, arguments: words } }) => ({ id, name, input: JSON.parse(words || '{}') })),
    )
    const ends: Record<string, string> = { stop: 'end_turn', tool_calls: 'tool_use', length: 'max_tokens' }
    expect(answer.stop_reason).toBe(ends[choice?.finish_reason ?? ''] ?? answer.stop_reason)
    expect(end.complete).toBe(true)
  })
})
