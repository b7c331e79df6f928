// A conversation that began with one vendor's model and goes on with another's: what each of them is told then, and that
// what one signed for itself comes back to it whatever its caller's format keeps.
import { describe, expect, it } from 'vitest'
import type { ChatEvent, ChatRequest, ContentPart, JsonObject } from '../../src/contract.ts'
import { encodeMessages } from '../../src/protocols/anthropic-messages/encode_messages.ts'
import { anthropicMessagesFront } from '../../src/protocols/anthropic-messages/front.ts'
import { plainId, signedId } from '../../src/protocols/call_ids.ts'
import type { ChatFront } from '../../src/protocols/front.ts'
import { encodeContents } from '../../src/protocols/gemini/encode_contents.ts'
import { geminiFront } from '../../src/protocols/gemini/front.ts'
import { openaiChatFront } from '../../src/protocols/openai-chat/front.ts'
import { encodeRequest } from '../../src/protocols/openai-responses/encode.ts'
import { openaiResponsesFront } from '../../src/protocols/openai-responses/front.ts'

const HEAD = { id: '01M7Y40X1690DC36XYVK3QMG60', created: 1, model: 'm' }
const GOOGLES = 'google:CiQBjz1rX3+/ab=='
const QUESTION = 'And now?'

async function* events(...said: ChatEvent[]): AsyncGenerator<ChatEvent> {
  yield* said
}
const called: ChatEvent[] = [
  {
    type: 'tool_call',
    choice: 0,
    index: 0,
    call: { id: 'call_1', kind: 'function', name: 'f', arguments: '{}', signature: GOOGLES },
  },
  { type: 'finish', choice: 0, reason: 'tool_calls' },
]

/** The calls of an answer as a client gives them back that keeps the fields it knows and no others. */
const formats: { front: ChatFront; goOn(answer: JsonObject): JsonObject }[] = [
  {
    front: openaiChatFront,
    goOn: (answer) => {
      const [{ message }] = answer.choices as [{ message: { tool_calls: [{ id: string; function: JsonObject }] } }]
      const [{ id, function: named }] = message.tool_calls
      return {
        messages: [
          { role: 'assistant', content: null, tool_calls: [{ id, type: 'function', function: named }] },
          { role: 'tool', tool_call_id: id, content: 'done' },
        ],
      }
    },
  },
  {
    front: anthropicMessagesFront,
    goOn: (answer) => {
      const [{ id, name, input }] = answer.content as [{ id: string; name: string; input: JsonObject }]
      return {
        max_tokens: 9,
        messages: [
          { role: 'assistant', content: [{ type: 'tool_use', id, name, input }] },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content: 'done' }] },
        ],
      }
    },
  },
  {
    front: openaiResponsesFront,
    goOn: (answer) => {
      const [{ call_id, name, arguments: words }] = answer.output as [
        { call_id: string; name: string; arguments: string },
      ]
      return {
        input: [
          { type: 'function_call', call_id, name, arguments: words },
          { type: 'function_call_output', call_id, output: 'done' },
        ],
      }
    },
  },
]

describe('the signature of a call by one of Google’s models', () => {
  it.each(formats)(
    'comes back in its id in $front.protocol, and reaches Google as its own',
    async ({ front, goOn }) => {
      const { answer } = await front.collect(events(...called), HEAD, { model: 'm' })
      const { messages } = front.toCanonical({ model: 'm', ...goOn(answer) })
      expect(encodeContents(messages)).toMatchObject({
        contents: [
          {
            role: 'model',
            parts: [{ functionCall: { id: 'call_1', name: 'f' }, thoughtSignature: 'CiQBjz1rX3+/ab==' }],
          },
          { role: 'user', parts: [{ functionResponse: { id: 'call_1', response: { output: 'done' } } }] },
        ],
      })
    },
  )

  it.each(formats)('streams in the id of $front.protocol too', ({ front }) => {
    const encoder = front.encoder({ model: 'm' }, HEAD)
    const text = called.map((event) => encoder.encode(event)).join('')
    expect(text).toContain(JSON.stringify(signedId('call_1', GOOGLES)))
  })

  it.each(formats)('reaches nobody else within an id of $front.protocol', async ({ front, goOn }) => {
    const { answer } = await front.collect(events(...called), HEAD, { model: 'm' })
    const body = goOn(answer)
    const target = { upstream: 'm', output_limit: 9, limit_field: undefined }
    const sent = JSON.stringify(front.toProvider?.({ model: 'm', ...body }, target))
    expect(sent).not.toContain('signed')
    expect(sent.match(/"call_1"/g)).toHaveLength(2)
    expect(front.inputUpperBound({ model: 'm', ...body })).toEqual(
      front.inputUpperBound(JSON.parse(JSON.stringify({ model: 'm', ...body }).replace(/_signed_[^"]*/g, ''))),
    )
  })

  it('is left out of an id where it is longer than ids should be', () => {
    expect(signedId('call_1', 'x'.repeat(10_000))).toBe('call_1')
    expect(plainId(signedId('call_1', 'x'.repeat(8000)))).toBe('call_1')
    expect(signedId('call_1', GOOGLES)).toMatch(/^[a-zA-Z0-9_-]+$/)
  })
})

const thought = (more: object): ContentPart => ({ type: 'reasoning', text: 'Hm.', ...more })
const conversation = (...content: ContentPart[]): ChatRequest => ({
  model: 'm',
  messages: [
    { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
    { role: 'assistant', content: [...content, { type: 'text', text: 'Yes.' }] },
    { role: 'user', content: [{ type: 'text', text: QUESTION }] },
  ],
})

describe('a thought that Anthropic sealed', () => {
  it('does not reach OpenAI, in whichever way its caller came', () => {
    const { input } = encodeRequest(conversation(thought({ text: '', encrypted: 'EqkECkYIBxgC' })), 'gpt-5.4')
    expect(JSON.stringify(input)).not.toContain('reasoning')
    const sealed = { type: 'reasoning', id: `rs_${HEAD.id}00`, summary: [], encrypted_content: 'EqkECkYIBxgC' }
    const own = { type: 'reasoning', id: 'rs_0a1b', summary: [], encrypted_content: 'gAAAAABo' }
    const { input: passed } = openaiResponsesFront.withoutForeign?.({ input: [sealed, own] }, 'gpt-5.4') ?? {}
    expect(passed).toEqual([own])
  })

  it('comes back to Anthropic from a caller of the Responses API', () => {
    const sealed = { type: 'reasoning', id: `rs_${HEAD.id}00`, summary: [], encrypted_content: 'EqkECkYIBxgC' }
    const { messages } = openaiResponsesFront.toCanonical({
      model: 'm',
      input: [sealed, { role: 'user', content: 'x' }],
    })
    expect(encodeMessages(messages).messages[1]).toMatchObject({
      content: [{ type: 'redacted_thinking', data: 'EqkECkYIBxgC' }],
    })
  })
})

describe('a thought that Anthropic signed, of a caller of Google’s format', () => {
  const signature = 'ErUBCkYIARgCab=='

  async function contentsAfter(): Promise<JsonObject[]> {
    const said: ChatEvent[] = [
      { type: 'reasoning', choice: 0, text: 'Hm.', signature },
      { type: 'text', choice: 0, text: 'Yes.' },
      { type: 'finish', choice: 0, reason: 'stop' },
    ]
    const { answer } = await geminiFront.collect(events(...said), HEAD, {})
    const [{ content }] = answer.candidates as [{ content: JsonObject }]
    return [content, { role: 'user', parts: [{ text: QUESTION }] }]
  }

  it('comes back to Anthropic as its own', async () => {
    const { messages } = geminiFront.toCanonical({ model: 'm', contents: await contentsAfter() })
    expect(encodeMessages(messages).messages[1]).toMatchObject({
      role: 'assistant',
      content: [{ type: 'thinking', thinking: 'Hm.', signature }, { type: 'text' }],
    })
  })

  it.each(['gemini-3.5-flash', 'gemini-2.5-flash'])('does not reach Google’s %s', async (upstream) => {
    const target = { upstream, output_limit: 9, limit_field: undefined }
    const sent = geminiFront.toProvider?.({ model: 'm', contents: await contentsAfter() }, target)
    expect(sent?.contents).toEqual([
      { role: 'model', parts: [{ text: 'Yes.' }] },
      { role: 'user', parts: [{ text: QUESTION }] },
    ])
  })

  it('does not take Google’s own for Anthropic’s', () => {
    const own = { role: 'model', parts: [{ text: 'Hm.', thought: true, thoughtSignature: 'CiQB' }, { text: 'Yes.' }] }
    const body = { model: 'm', contents: [own, { role: 'user', parts: [{ text: QUESTION }] }] }
    const { messages } = geminiFront.toCanonical(body)
    expect(JSON.stringify(encodeMessages(messages).messages)).not.toContain('thinking')
    const target = { upstream: 'gemini-3.5-flash', output_limit: 9, limit_field: undefined }
    expect(geminiFront.toProvider?.(body, target)?.contents).toEqual(body.contents)
  })
})
