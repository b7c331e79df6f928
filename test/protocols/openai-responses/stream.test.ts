// Canonical events as a stream of the Responses API: the order and the places of its events, item by item.
import { describe, expect, it } from 'vitest'
import type { ChatEvent, JsonObject } from '../../../src/contract.ts'
import { collect } from '../../../src/protocols/openai-responses/answer.ts'
import { endEvents, itemEventsOf, openingEvents } from '../../../src/protocols/openai-responses/replay.ts'
import { ResponseEncoder } from '../../../src/protocols/openai-responses/stream.ts'
import { readEvents } from '../../../src/protocols/sse.ts'

const HEAD = { id: '01M7Y40X1690DC36XYVK3QMG60', created: 1, model: 'm' }
const finish: ChatEvent = { type: 'finish', choice: 0, reason: 'stop' }

function encode(events: ChatEvent[]): JsonObject[] {
  const encoder = new ResponseEncoder({}, HEAD)
  const text = events.map((event) => encoder.encode(event)).join('')
  const whole = text + encoder.tail({ meters: { input_tokens: 1, output_tokens: 2 }, source: 'reported' }, '0.1')
  return readEvents(whole).map(({ event, data }) => {
    const read = JSON.parse(data)
    expect(read.type).toBe(event)
    return read
  })
}
const types = (events: JsonObject[]) => events.map(({ type }) => String(type).replace('response.', ''))

describe('a stream', () => {
  it('begins a thought with its summary, and closes it before the words', () => {
    const events = encode([
      { type: 'reasoning', choice: 0, text: 'H', summary: true },
      { type: 'reasoning', choice: 0, text: 'm', summary: true },
      { type: 'reasoning', choice: 0, encrypted: 'gAAA' },
      { type: 'text', choice: 0, text: 'Hi' },
      finish,
    ])
    expect(types(events)).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'reasoning_summary_part.added',
      'reasoning_summary_text.delta',
      'reasoning_summary_text.delta',
      'reasoning_summary_text.done',
      'reasoning_summary_part.done',
      'output_item.done',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'completed',
    ])
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
    expect(events.at(-1)?.response).toMatchObject({
      usage: { input_tokens: 1, output_tokens: 2, cost: 0.1 },
      output: [
        { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm' }], encrypted_content: 'gAAA' },
        { type: 'message', content: [{ type: 'output_text', text: 'Hi' }] },
      ],
    })
  })

  it('tells raw thoughts, refusals and citations in their own events', () => {
    const events = encode([
      { type: 'reasoning', choice: 0, text: 'Hm' },
      { type: 'text', choice: 0, text: 'See' },
      { type: 'citation', choice: 0, citation: { url: 'https://a.example', title: 'A', start: 0, end: 3 } },
      { type: 'refusal', choice: 0, text: 'No.' },
      finish,
    ])
    expect(types(events).slice(3, -1)).toEqual([
      'content_part.added',
      'reasoning_text.delta',
      'reasoning_text.done',
      'content_part.done',
      'output_item.done',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.annotation.added',
      'output_text.done',
      'content_part.done',
      'content_part.added',
      'refusal.delta',
      'refusal.done',
      'content_part.done',
      'output_item.done',
    ])
    expect(events.filter(({ type }) => type === 'response.refusal.delta')).toMatchObject([
      { content_index: 1, output_index: 1 },
    ])
  })

  it('gives each call its own place, one after the other', () => {
    const call = (index: number, name: string): ChatEvent[] => [
      { type: 'tool_call', choice: 0, index, call: { id: `call_${index}`, kind: 'function', name, arguments: '' } },
      { type: 'tool_call', choice: 0, index, call: { arguments: '{}' } },
    ]
    const events = encode([...call(0, 'a'), ...call(1, 'b'), { ...finish, reason: 'tool_calls' }])
    const places = events.flatMap(({ type, output_index }) =>
      output_index === undefined ? [] : [[type, output_index]],
    )
    const each = [
      'output_item.added',
      'function_call_arguments.delta',
      'function_call_arguments.done',
      'output_item.done',
    ]
    expect(places).toEqual([0, 1].flatMap((index) => each.map((type) => [`response.${type}`, index])))
  })

  it('keeps another vendor’s signature as the seal of a thought', async () => {
    const events: ChatEvent[] = [
      { type: 'reasoning', choice: 0, text: 'Hm' },
      { type: 'reasoning', choice: 0, signature: 'ab' },
      { type: 'reasoning', choice: 0, signature: 'cd' },
      { type: 'reasoning', choice: 0, text: 'And then' },
      finish,
    ]
    async function* all() {
      yield* events
    }
    const { answer } = await collect(all(), HEAD, {})
    expect(answer.output).toMatchObject([
      { content: [{ text: 'Hm' }], encrypted_content: 'signature:abcd' },
      { content: [{ text: 'And then' }] },
    ])
  })

  it('is replayed from the whole response with the same events, each text in one piece', () => {
    const events = encode([
      { type: 'reasoning', choice: 0, text: 'Hm', summary: true },
      { type: 'reasoning', choice: 0, text: 'Hmm' },
      { type: 'text', choice: 0, text: 'Hi' },
      { type: 'tool_call', choice: 0, index: 0, call: { id: 'c', kind: 'custom', name: 'f', arguments: 'x' } },
      finish,
    ])
    const response = events.at(-1)?.response as JsonObject
    const replayed = [...openingEvents(response), ...itemEventsOf(response), ...endEvents(response)]
    expect(replayed.map(({ type }) => type)).toEqual(events.map(({ type }) => type))
    expect(replayed.slice(2)).toEqual(events.slice(2).map(({ sequence_number: _, ...event }) => event))
  })
})
