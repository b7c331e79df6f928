// Streams of Anthropic's events: passing through byte for byte but for their end, and made from other providers' events.
import { describe, expect, it } from 'vitest'
import type { ChatEvent, ToolCall, Usage } from '../../../src/contract.ts'
import { collect, encodeAnswer, readAnswer, readStream } from '../../../src/protocols/anthropic-messages/answer.ts'
import { anthropicMessagesFront } from '../../../src/protocols/anthropic-messages/front.ts'
import { MessageTap } from '../../../src/protocols/anthropic-messages/tap.ts'
import { readUsage } from '../../../src/protocols/anthropic-messages/usage.ts'
import { readEvents } from '../../../src/protocols/sse.ts'
import { DELTA_USAGE, DELTAS, event, LAST, MESSAGE, START, STOP, STREAM, USAGE } from '../../fixtures/anthropic.ts'

const counted: Usage = { meters: { input_tokens: 3, output_tokens: 4 }, source: 'counted' }

/** Pushes a stream in pieces; answers what was sent on, and the tap. */
function pass(text: string, piece_bytes: number) {
  const tap = new MessageTap('Acme')
  const bytes = Buffer.from(text)
  const sent: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += piece_bytes)
    sent.push(tap.push(bytes.subarray(at, at + piece_bytes)) ?? Buffer.alloc(0))
  return { tap, sent: Buffer.concat(sent).toString(), end: tap.finish() }
}

describe('a stream that passes through', () => {
  it.each([1, 7, 100, 100_000])('goes on as it came, its usage and its end last, in pieces of %i bytes', (size) => {
    const { tap, sent, end } = pass(STREAM, size)
    expect(sent).toBe(START + DELTAS)
    expect(end).toMatchObject({ complete: true, has_output: true, output_bytes: 26 })
    expect(end.usage?.meters).toEqual({
      input_tokens: 12,
      cached_input_tokens: 1000,
      cache_write_tokens: 100,
      cache_write_1h_tokens: 200,
      output_tokens: 40,
    })
    const cost = event('message_delta', { ...LAST, usage: { ...DELTA_USAGE, cost: 0 } })
    expect(Buffer.from(tap.tail('0.00000315', counted)).toString()).toBe(
      cost.replace('"cost":0', '"cost":0.00000315') + STOP,
    )
  })

  it('lets pings and comments through, and keeps their place at the end', () => {
    const ping = event('ping')
    const { tap, sent } = pass(`${START}: hello\n\n${DELTAS}${event('message_delta', LAST)}${ping}${STOP}`, 64)
    expect(sent).toBe(`${START}: hello\n\n${DELTAS}`)
    expect(readEvents(Buffer.from(tap.tail('0', counted)).toString()).map(({ event: name }) => name)).toEqual([
      'message_delta',
      'ping',
      'message_stop',
    ])
  })

  it('sends on a usage that was not the last', () => {
    const early = event('message_delta', { delta: {}, usage: { output_tokens: 2 } })
    const { sent, end } = pass(START + early + DELTAS + event('message_delta', LAST) + STOP, 64)
    expect(sent.replace(early, '')).toBe(START + DELTAS)
    expect(sent).toContain(early)
    expect(end.usage?.meters.output_tokens).toBe(40)
  })

  it('takes a provider’s own cost out, and puts in a usage where there is none', () => {
    const theirs = pass(START + DELTAS + event('message_delta', { ...LAST, usage: { ...DELTA_USAGE, cost: 9 } }), 64)
    expect(Buffer.from(theirs.tap.tail('0.1', counted)).toString()).toContain('"cost":0.1}')
    const none = pass(
      START.replace(JSON.stringify(USAGE), '{}') + DELTAS + event('message_delta', { delta: LAST.delta }),
      64,
    )
    expect(none.end).toMatchObject({ complete: true })
    expect(none.end.usage).toBeUndefined()
    expect(Buffer.from(none.tap.tail('0.1', counted)).toString()).toContain('"output_tokens":4,"cost":0.1}')
  })

  it('is not complete without its stop reason', () => {
    expect(pass(START + DELTAS, 64).end).toMatchObject({ complete: false, has_output: true })
    expect(pass(START + event('message_delta', LAST).slice(0, -30), 64).end.complete).toBe(false)
  })

  it('counts a last event that lacks its blank line', () => {
    expect(pass(STREAM.trimEnd(), 64).end.complete).toBe(true)
    const { sent, end } = pass(STREAM.replaceAll('\n', '\r\n'), 64)
    expect(sent).toBe((START + DELTAS).replaceAll('\n', '\r\n'))
    expect(end.complete).toBe(true)
  })

  it('ends at an error, of which nothing is sent', () => {
    const error = event('error', { error: { type: 'overloaded_error', message: 'Overloaded' } })
    const { tap, sent, end } = pass(START + DELTAS + error + STOP, 64)
    expect(sent).toBe(START + DELTAS)
    expect(tap.error?.kind).toBe('overloaded')
    expect(end).toMatchObject({ complete: false, error: { kind: 'overloaded' } })
    expect(pass(`${START}event: x\ndata: {no\n\n`, 64).end.error?.kind).toBe('bad_response')
  })
})

describe('usage', () => {
  it('has no meter twice, and the time in the cache apart', () => {
    expect(readUsage(USAGE)?.meters).toEqual({
      input_tokens: 12,
      cached_input_tokens: 1000,
      cache_write_tokens: 100,
      cache_write_1h_tokens: 200,
      output_tokens: 1,
    })
    expect(readUsage({ ...USAGE, cache_creation: null })?.meters.cache_write_tokens).toBe(300)
    expect(readUsage({ ...USAGE, server_tool_use: { web_search_requests: 2 } })?.meters.web_searches).toBe(2)
  })

  it('adds what the shortening of a conversation took beside the totals, and nothing that is in them', () => {
    const part = { input_tokens: 60_385, output_tokens: 522 }
    const iterations = [
      { type: 'compaction', ...part },
      { type: 'message', input_tokens: 612, output_tokens: 2819 },
    ]
    expect(readUsage({ input_tokens: 612, output_tokens: 2819, iterations })?.meters).toEqual({
      input_tokens: 60_997,
      output_tokens: 3341,
    })
  })

  it('is none where it makes no sense', () => {
    for (const usage of [undefined, {}, { input_tokens: -1, output_tokens: 1 }, { input_tokens: 1 }])
      expect(readUsage(usage)).toBeUndefined()
  })
})

const choice = 0
const head = { id: '1', created: 1, model: 'm' }
const call = (index: number, part: Partial<ToolCall>): ChatEvent => ({ type: 'tool_call', choice, index, call: part })
const begin = (index: number) => call(index, { id: `call_${index}`, kind: 'function', name: `tool_${index}` })

function written(...events: ChatEvent[]) {
  const encoder = anthropicMessagesFront.encoder({}, head)
  const text = events.map((each) => encoder.encode(each)).join('') + encoder.tail(counted, '0.5')
  return { events: readEvents(text).map(({ data }) => JSON.parse(data)), message: readStream(Buffer.from(text)) }
}

describe('a stream made from canonical events', () => {
  it('has each event in its order', () => {
    const { events } = written(
      { type: 'reasoning', choice, text: 'Hm' },
      { type: 'reasoning', choice, signature: 'sig' },
      { type: 'text', choice, text: 'Hi' },
      { type: 'citation', choice, citation: { url: 'https://a.test', title: 'A' } },
      begin(0),
      call(0, { arguments: '{"a":' }),
      call(0, { arguments: '1}' }),
      { type: 'finish', choice, reason: 'tool_calls' },
      { type: 'usage', usage: counted },
    )
    expect(events.map(({ type, index }) => [type, index])).toEqual([
      ['message_start', undefined],
      ['content_block_start', 0],
      ['content_block_delta', 0],
      ['content_block_delta', 0],
      ['content_block_stop', 0],
      ['content_block_start', 1],
      ['content_block_delta', 1],
      ['content_block_delta', 1],
      ['content_block_stop', 1],
      ['content_block_start', 2],
      ['content_block_delta', 2],
      ['content_block_delta', 2],
      ['content_block_stop', 2],
      ['message_delta', undefined],
      ['message_stop', undefined],
    ])
    expect(events[0].message).toMatchObject({
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [],
    })
    expect(events.at(-2)).toMatchObject({
      delta: { stop_reason: 'tool_use', stop_sequence: null },
      usage: { input_tokens: 3, output_tokens: 4, cost: 0.5 },
    })
  })

  it('writes calls one after the other, however they were mixed', () => {
    const { message, events } = written(
      begin(0),
      call(0, { arguments: '{"a":' }),
      begin(1),
      call(1, { arguments: '{"b":' }),
      call(0, { arguments: '1}' }),
      begin(2),
      call(1, { arguments: '2}' }),
      call(2, { arguments: '{}' }),
      { type: 'finish', choice, reason: 'stop' },
    )
    expect(message.content).toEqual(
      [{ a: 1 }, { b: 2 }, {}].map((input, index) => ({
        type: 'tool_use',
        id: `call_${index}`,
        name: `tool_${index}`,
        input,
      })),
    )
    // A provider that calls tools and says 'stop' would leave its caller waiting.
    expect(message.stop_reason).toBe('tool_use')
    let open: number | undefined
    for (const { type, index } of events) {
      if (type === 'content_block_start') {
        expect(open).toBeUndefined()
        open = index
      } else if (type === 'content_block_delta') expect(index).toBe(open)
      else if (type === 'content_block_stop') open = undefined
    }
  })

  it('keeps what a model wrote that is no JSON', () => {
    const { message } = written(begin(0), call(0, { arguments: '{"a' }), { type: 'finish', choice, reason: 'length' })
    expect(message).toMatchObject({ content: [{ input: { _raw: '{"a' } }], stop_reason: 'max_tokens' })
  })

  it('names each end in Anthropic’s words', () => {
    const end = (finish: Omit<Extract<ChatEvent, { type: 'finish' }>, 'type' | 'choice'>) => {
      const { message } = written({ type: 'finish', choice, ...finish })
      return [message.stop_reason, message.stop_sequence]
    }
    expect(end({ reason: 'stop' })).toEqual(['end_turn', null])
    expect(end({ reason: 'stop', stop_sequence: 'END' })).toEqual(['stop_sequence', 'END'])
    expect(end({ reason: 'content_filter' })).toEqual(['refusal', null])
    expect(end({ reason: 'pause' })).toEqual(['pause_turn', null])
  })

  it('is the same as the answer that a caller without streaming gets', async () => {
    const events: ChatEvent[] = [
      { type: 'reasoning', choice, encrypted: 'blob' },
      { type: 'text', choice, text: 'Hi' },
      { type: 'image', choice, image: { type: 'bytes', data: Buffer.from('x'), media_type: 'image/png' } },
      begin(0),
      { type: 'finish', choice, reason: 'tool_calls' },
    ]
    async function* source() {
      yield* events
    }
    const { answer, end } = await collect(source(), head)
    const { usage: _, ...message } = written(...events).message
    expect(answer).toEqual(message)
    expect(answer.content).toEqual([
      { type: 'redacted_thinking', data: 'blob' },
      { type: 'text', text: 'Hi' },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'eA==' } },
      { type: 'tool_use', id: 'call_0', name: 'tool_0', input: {} },
    ])
    expect(end).toMatchObject({ complete: true, has_output: true })
  })
})

describe('a whole answer', () => {
  it('says what was used, and is written with its cost', () => {
    const answer = { ...MESSAGE, content: [{ type: 'text', text: 'Hi' }], stop_reason: 'end_turn' }
    expect(readAnswer(answer)).toMatchObject({ complete: true, has_output: true, output_bytes: 2 })
    expect(encodeAnswer(answer, counted, '0.000000001')).toBe(
      JSON.stringify({ ...answer, usage: { ...USAGE, cost: 'C' } }).replace('"C"', '0.000000001'),
    )
    expect(readAnswer({ ...answer, content: [] }).has_output).toBe(false)
  })

  it('is none if it is an error, or no message', () => {
    expect(() => readAnswer({ type: 'error', error: { type: 'overloaded_error', message: 'x' } })).toThrow(/overloaded/)
    expect(() => readAnswer({ choices: [] })).toThrow('not a message')
  })

  it('tells an error in the middle of a stream under its own name', () => {
    expect(anthropicMessagesFront.errorEvent({ message: 'm', type: 'server_error', code: 'timeout' })).toBe(
      'event: error\ndata: {"type":"error","error":{"type":"timeout_error","message":"m","code":"timeout"}}\n\n',
    )
  })
})
