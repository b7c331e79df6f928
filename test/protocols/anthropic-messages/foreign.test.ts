// A conversation that began with another vendor's model and goes on with Anthropic's, in both ways that lead there.
import { describe, expect, it } from 'vitest'
import { encodeRequest } from '../../../src/protocols/anthropic-messages/encode.ts'
import { anthropicMessagesFront } from '../../../src/protocols/anthropic-messages/front.ts'

const question = { role: 'user', content: 'And now?' }
const own = [
  { type: 'thinking', thinking: 'Hm.', signature: 'ErUBCkYIARgC' },
  { type: 'redacted_thinking', data: 'EqkECkYIBxgC' },
  { type: 'text', text: 'Yes.' },
]
const foreign = [
  { type: 'thinking', thinking: 'Signed by nobody.', signature: '' },
  { type: 'thinking', thinking: 'By Google.', signature: 'google:CiQB' },
  { type: 'redacted_thinking', data: 'gAAAAABo' },
]

describe('what another vendor’s model thought', () => {
  it('does not reach Anthropic in a caller’s own messages, and what Anthropic’s thought does', () => {
    const { toProvider } = anthropicMessagesFront
    const messages = [question, { role: 'assistant', content: [...foreign, ...own] }, question]
    const sent = toProvider?.({ messages }, { upstream: 'm', output_limit: 9, limit_field: undefined })
    expect(sent?.messages).toEqual([question, { role: 'assistant', content: own }, question])
  })

  it('leaves no turn that says nothing', () => {
    const { toProvider } = anthropicMessagesFront
    const messages = [question, { role: 'assistant', content: foreign }, question]
    const sent = toProvider?.({ messages }, { upstream: 'm', output_limit: 9, limit_field: undefined })
    expect(sent?.messages).toEqual([question, question])
  })

  it('does not reach Anthropic from other formats', () => {
    const body = encodeRequest(
      {
        model: 'm',
        messages: [
          { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
          {
            role: 'assistant',
            content: [
              { type: 'reasoning', text: 'Sealed by OpenAI.', encrypted: 'gAAAAABo' },
              { type: 'reasoning', text: 'By Google.', signature: 'google:CiQB' },
              { type: 'reasoning', text: 'Hm.', signature: 'ErUBCkYIARgC' },
              { type: 'text', text: 'Yes.' },
            ],
          },
          { role: 'user', content: [{ type: 'text', text: 'And now?' }] },
        ],
      },
      'claude-sonnet-5',
    )
    expect(body.messages).toMatchObject([{}, { role: 'assistant', content: [own[0], own[2]] }, {}])
  })
})
