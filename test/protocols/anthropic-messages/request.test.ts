// What callers may send in Anthropic's format, and what it means to a provider of another protocol.
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../../src/contract.ts'
import { countInput, inputUpperBound, keepsAnHour } from '../../../src/protocols/anthropic-messages/estimate.ts'
import { anthropicMessagesFront } from '../../../src/protocols/anthropic-messages/front.ts'
import { readMessagesRequest, toCanonical } from '../../../src/protocols/anthropic-messages/request.ts'
import { encodeRequest } from '../../../src/protocols/openai-chat/encode.ts'
import { WireError } from '../../../src/protocols/wire_error.ts'

const asked = (more: object = {}) => ({
  model: 'm',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'Hello' }],
  ...more,
})
const user = (...content: object[]) => asked({ messages: [{ role: 'user', content }] })

function refusal(read: (body: unknown) => unknown, body: object) {
  try {
    read(body)
  } catch (error) {
    if (error instanceof WireError) return { param: error.param, code: error.code }
    throw error
  }
  return undefined
}

describe('a request in Anthropic’s format', () => {
  it('passes with fields that nobody here knows', () => {
    const body = asked({ future: { a: 1 }, tools: [{ type: 'web_search_20250305', name: 'web_search', max_uses: 2 }] })
    expect(readMessagesRequest(body)).toBe(body)
  })

  it.each([
    [{ messages: 'Hello' }, 'messages'],
    [{ model: undefined }, 'model'],
    [{ max_tokens: '100' }, 'max_tokens'],
    [{ messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].role'],
    [user({ type: 'text' }), 'messages[0].content[0].text'],
    [user({ type: 'image', source: { data: 'x' } }), 'messages[0].content[0].source.type'],
    [user({ type: 'tool_use', id: 'a', name: 'b', input: 'no' }), 'messages[0].content[0].input'],
    [{ tools: [{ name: 'find' }] }, 'tools[0].input_schema'],
    [{ tool_choice: { type: 'required' } }, 'tool_choice.type'],
    [{ temperature: 1.5 }, 'temperature'],
    [{ api_base: 'http://a' }, 'api_base'],
    [{ tools: [{ type: 'advisor_20260301', name: 'advisor', model: 'claude-opus-4-8' }] }, 'tools[0]'],
    [{ fallbacks: [{ model: 'claude-opus-5' }] }, 'fallbacks'],
  ])('is refused by the name of the field at fault: %j', (more, param) => {
    expect(refusal(readMessagesRequest, asked(more))?.param).toBe(param)
  })

  it('becomes canonical with every part of it', () => {
    const request = toCanonical(
      asked({
        system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h' } }],
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'Look' },
              { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
              { type: 'image', source: { type: 'url', url: 'https://a.test/b.png' } },
              { type: 'image', source: { type: 'file', file_id: 'file_1' } },
              { type: 'document', title: 'Note', source: { type: 'text', media_type: 'text/plain', data: 'Hi' } },
              { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'AAAA' } },
            ],
          },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: 'Hm.', signature: 'sig' },
              { type: 'redacted_thinking', data: 'blob' },
              { type: 'text', text: 'Let me see.' },
              { type: 'tool_use', id: 'toolu_1', name: 'find', input: { a: [1] } },
            ],
          },
          {
            role: 'user',
            content: [
              {
                type: 'tool_result',
                tool_use_id: 'toolu_1',
                is_error: true,
                content: [
                  { type: 'text', text: 'found' },
                  { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
                ],
              },
              { type: 'text', text: 'Well?' },
            ],
          },
        ],
        tools: [{ name: 'find', description: 'Finds', input_schema: { type: 'object' }, strict: true }],
        tool_choice: { type: 'any', disable_parallel_tool_use: true },
        stop_sequences: ['END'],
        top_k: 5,
        thinking: { type: 'enabled', budget_tokens: 2000 },
        output_config: { effort: 'high', format: { type: 'json_schema', schema: { type: 'object' } } },
        metadata: { user_id: 'u1' },
        service_tier: 'standard_only',
        context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
      }),
    )
    const picture = { type: 'bytes', data: Buffer.from([0, 0, 0]), media_type: 'image/png' }
    expect(request).toEqual({
      model: 'm',
      max_output_tokens: 100,
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'Be brief.', cache: { ttl: '1h' } }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Look' },
            { type: 'image', image: picture },
            { type: 'image', image: { type: 'url', url: 'https://a.test/b.png' } },
            { type: 'image', image: { type: 'file', id: 'file_1' } },
            { type: 'text', text: 'Note\n\nHi' },
            { type: 'document', document: { ...picture, media_type: 'application/pdf' } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'reasoning', text: 'Hm.', signature: 'sig' },
            { type: 'reasoning', text: '', encrypted: 'blob' },
            { type: 'text', text: 'Let me see.' },
            { type: 'tool_call', id: 'toolu_1', kind: 'function', name: 'find', arguments: '{"a":[1]}' },
          ],
        },
        {
          role: 'user',
          content: [
            {
              type: 'tool_result',
              call_id: 'toolu_1',
              is_error: true,
              content: [
                { type: 'text', text: 'found' },
                { type: 'image', image: picture },
              ],
            },
            { type: 'text', text: 'Well?' },
          ],
        },
      ],
      tools: [{ kind: 'function', name: 'find', description: 'Finds', parameters: { type: 'object' }, strict: true }],
      tool_choice: { mode: 'required' },
      parallel_tool_calls: false,
      stop: ['END'],
      top_k: 5,
      reasoning: { effort: 'high', budget_tokens: 2000 },
      response_format: { type: 'json_schema', name: 'answer', schema: { type: 'object' }, strict: true },
      user: 'u1',
      service_tier: 'default',
    })
  })

  it.each([
    [{ future: 1 }, 'future', 'unknown_parameter'],
    [{ container: 'c' }, 'container', 'unsupported_parameter'],
    [{ mcp_servers: [{}] }, 'mcp_servers', 'unsupported_parameter'],
    [{ speed: 'fast' }, 'speed', 'unsupported_parameter'],
    [{ context_management: { edits: [{ type: 'compact_20260112' }] } }, 'context_management', 'unsupported_parameter'],
    [user({ type: 'container_upload', file_id: 'f' }), 'messages[0].content[0].type', 'unsupported_value'],
    [{ tool_choice: { type: 'tool' } }, 'tool_choice.name', 'missing_required_parameter'],
  ])('cannot be told to another protocol with %j', (more, param, code) => {
    expect(refusal(toCanonical, asked(more))).toEqual({ param, code })
  })

  it('becomes a request of OpenAI’s as Claude Code sends it, results before pictures, budget as a level', () => {
    const canonical = toCanonical(
      asked({
        system: 'Be brief.',
        messages: [
          {
            role: 'assistant',
            content: [
              { type: 'tool_use', id: 'a', name: 'look', input: {} },
              { type: 'tool_use', id: 'b', name: 'look', input: {} },
            ],
          },
          {
            role: 'user',
            content: [
              {
                type: 'tool_result',
                tool_use_id: 'a',
                content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } }],
              },
              { type: 'tool_result', tool_use_id: 'b', content: 'nothing', is_error: true },
              { type: 'text', text: 'Go on' },
            ],
          },
        ],
        thinking: { type: 'enabled', budget_tokens: 31_999 },
        metadata: { user_id: JSON.stringify({ device_id: 'x'.repeat(100) }) },
      }),
    )
    const body = encodeRequest(canonical, 'gpt-5', 'max_completion_tokens', {})
    expect(body.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      {
        role: 'assistant',
        content: null,
        tool_calls: ['a', 'b'].map((id) => ({ id, type: 'function', function: { name: 'look', arguments: '{}' } })),
      },
      { role: 'tool', tool_call_id: 'a', content: '' },
      { role: 'tool', tool_call_id: 'b', content: 'Error: nothing' },
      {
        role: 'user',
        content: [
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
          { type: 'text', text: 'Go on' },
        ],
      },
    ])
    expect(body).toMatchObject({ reasoning_effort: 'high', user: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(encodeRequest(canonical, 'llama-4', 'max_tokens', {})).not.toHaveProperty('reasoning_effort')
  })
})

describe('what decides the hold', () => {
  const facts = (more: object) => anthropicMessagesFront.facts(asked(more) as JsonObject)

  it('is the caller’s limit, and an hour in the cache where it is asked for', () => {
    expect(facts({})).toEqual({
      stream: false,
      output_limit: { tokens: 100, param: 'max_tokens', demanded: true },
      choices: 1,
      attributes: {},
      speaks: false,
    })
    const hour = { cache_control: { type: 'ephemeral', ttl: '1h' } }
    expect(facts({ tools: [{ name: 'a', input_schema: {}, ...hour }] })).toMatchObject({ keeps_an_hour: true })
    expect(facts(hour)).toMatchObject({ keeps_an_hour: true })
    const result = { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 'b', ...hour }] }
    expect(keepsAnHour(user(result))).toBe(true)
    expect(keepsAnHour(user({ type: 'text', text: '"ttl":"1h"' }))).toBe(false)
  })

  it('knows service that is sold at other prices', () => {
    expect(facts({ service_tier: 'auto' }).attributes).toEqual({ tier: 'auto' })
    expect(facts({ speed: 'fast', service_tier: 'auto' }).attributes).toEqual({ tier: 'fast' })
    expect(facts({ inference_geo: 'us' }).attributes).toEqual({ tier: 'inference_geo us' })
    expect(facts({ inference_geo: 'global' }).attributes).toEqual({})
  })

  it('counts a second answer for a shortening of the conversation, and the searches that may be made', () => {
    expect(facts({ context_management: { edits: [{ type: 'compact_20260112' }] } }).choices).toBe(2)
    const search = { type: 'web_search_20250305', name: 'web_search' }
    expect(inputUpperBound(asked({ tools: [{ ...search, max_uses: 3 }] }))).toMatchObject({ web_searches: 3 })
    expect(inputUpperBound(asked({ tools: [search] })).web_searches).toBe(10)
  })

  it('counts bytes from above and pictures by the piece', () => {
    const words = inputUpperBound(asked({ messages: [{ role: 'user', content: 'ö'.repeat(1000) }] }))
    expect(words.input_tokens).toBeGreaterThanOrEqual(2000)
    expect(words.input_tokens).toBeLessThan(4000)
    const source = { type: 'base64', media_type: 'image/png', data: 'A'.repeat(4_000_000) }
    const picture = inputUpperBound(user({ type: 'image', source })).input_tokens ?? 0
    expect(picture).toBeLessThan(20_000)
    expect(countInput(user({ type: 'image', source }))).toBeLessThan(2000)
    expect(countInput(asked({ messages: [{ role: 'user', content: 'word '.repeat(800) }] }))).toBeCloseTo(1000, -2)
  })
})
