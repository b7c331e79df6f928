// A caller's chat request: what passes through untouched, what is refused and in which words, what it means canonically.
import type OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { readChatRequest, toCanonical } from '../../../src/protocols/openai-chat/request.ts'
import { WireError } from '../../../src/protocols/wire_error.ts'

type Body = OpenAI.Chat.ChatCompletionCreateParams & { [more: string]: unknown }
const body = (more: object = {}): Body => ({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...more })

function fault(work: () => unknown): WireError {
  try {
    work()
  } catch (error) {
    if (error instanceof WireError) return error
    throw error
  }
  return expect.unreachable('it was accepted')
}

describe('readChatRequest', () => {
  it('answers the very body, fields that nobody knows included', () => {
    const sent = body({ my_field: { deep: [1] }, messages: [{ role: 'user', content: 'hi', extra: true }] })
    expect(readChatRequest(sent)).toBe(sent)
  })

  it.each([
    [{ messages: undefined }, 'messages', 'missing_required_parameter', "Missing required parameter: 'messages'."],
    [{ model: '' }, 'model', 'invalid_value', /'model'/],
    [
      { temperature: 'hot' },
      'temperature',
      'invalid_type',
      "Invalid value for 'temperature': expected number, received string.",
    ],
    [{ temperature: 3 }, 'temperature', 'invalid_value', /'temperature'/],
    [{ messages: [] }, 'messages', 'invalid_value', /'messages'/],
    [{ messages: [{ role: 'boss', content: '' }] }, 'messages[0].role', 'invalid_type', /'messages\[0\].role'/],
    [
      { messages: [{ role: 'user', content: 5 }] },
      'messages[0].content',
      'invalid_type',
      /a string or a list of parts/,
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
      'messages[0].content[0].image_url',
      /./,
      /image_url/,
    ],
    [
      { messages: [{ role: 'tool', content: 'x' }] },
      'messages[0].tool_call_id',
      'missing_required_parameter',
      /tool_call_id/,
    ],
    [{ tools: [{ type: 'function', function: {} }] }, 'tools[0].function.name', 'missing_required_parameter', /name/],
    [{ max_tokens: 0 }, 'max_tokens', 'invalid_value', /max_tokens/],
    [{ api_base: 'http://evil.test' }, 'api_base', 'unknown_parameter', /api_base/],
    [{ litellm_params: {} }, 'litellm_params', 'unknown_parameter', /litellm_params/],
  ])('refuses %j and names the field', (more, param, code, message) => {
    const error = fault(() => readChatRequest(body(more)))
    expect(error.param).toBe(param)
    expect(error.code).toMatch(code)
    expect(error.message).toMatch(message)
  })

  it('refuses what is no object', () => {
    for (const sent of [null, 'x', [1]]) expect(fault(() => readChatRequest(sent)).code).toBe('invalid_json')
  })
})

describe('toCanonical', () => {
  it('understands everything that the protocol can say', () => {
    const png = `data:image/png;base64,${Buffer.from('png').toString('base64')}`
    const request = toCanonical(
      body({
        messages: [
          { role: 'developer', content: 'be brief' },
          {
            role: 'user',
            name: 'ann',
            content: [
              { type: 'text', text: 'look', prompt_cache_breakpoint: { mode: 'explicit', ttl: '30m' } },
              { type: 'image_url', image_url: { url: png, detail: 'low' } },
              { type: 'image_url', image_url: { url: 'https://x.test/a.png' } },
              { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
              { type: 'file', file: { file_id: 'file-1' } },
            ],
          },
          {
            role: 'assistant',
            content: 'calling',
            reasoning_content: 'hm',
            tool_calls: [
              { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } },
              { id: 'c2', type: 'custom', custom: { name: 'g', input: 'text' } },
            ],
          },
          { role: 'tool', tool_call_id: 'c1', content: 'sunny' },
        ],
        max_completion_tokens: 100,
        n: 2,
        stop: 'END',
        logprobs: true,
        top_logprobs: 3,
        reasoning_effort: 'low',
        response_format: { type: 'json_schema', json_schema: { name: 's', schema: { type: 'object' }, strict: true } },
        tools: [{ type: 'function', function: { name: 'f', parameters: {} } }],
        tool_choice: {
          type: 'allowed_tools',
          allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'f' } }] },
        },
        stream: true,
        store: false,
        prompt_cache_key: 'k',
      }),
    )
    expect(request).toEqual({
      model: 'm',
      messages: [
        { role: 'developer', content: [{ type: 'text', text: 'be brief' }] },
        {
          role: 'user',
          name: 'ann',
          content: [
            { type: 'text', text: 'look', cache: { ttl: '30m' } },
            {
              type: 'image',
              image: { type: 'bytes', data: Buffer.from('png'), media_type: 'image/png' },
              detail: 'low',
            },
            { type: 'image', image: { type: 'url', url: 'https://x.test/a.png' } },
            { type: 'audio', audio: { type: 'bytes', data: Buffer.from([0, 0, 0]), media_type: 'audio/wav' } },
            { type: 'document', document: { type: 'file', id: 'file-1' } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'reasoning', text: 'hm' },
            { type: 'text', text: 'calling' },
            { type: 'tool_call', id: 'c1', kind: 'function', name: 'f', arguments: '{}' },
            { type: 'tool_call', id: 'c2', kind: 'custom', name: 'g', arguments: 'text' },
          ],
        },
        { role: 'tool', content: [{ type: 'tool_result', call_id: 'c1', content: [{ type: 'text', text: 'sunny' }] }] },
      ],
      max_output_tokens: 100,
      choices: 2,
      stop: ['END'],
      top_logprobs: 3,
      reasoning: { effort: 'low' },
      response_format: { type: 'json_schema', name: 's', schema: { type: 'object' }, strict: true },
      tools: [{ kind: 'function', name: 'f', parameters: {} }],
      tool_choice: { mode: 'allowed', required: false, names: ['f'] },
    })
  })

  it('names the fields that only the same protocol would understand', () => {
    const error = fault(() => toCanonical(body({ my_field: 1, other: 2 })))
    expect(error).toMatchObject({ param: 'my_field', code: 'unknown_parameter' })
    expect(error.message).toContain("'my_field', 'other'")
    for (const field of ['prediction', 'moderation', 'web_search_options', 'functions', 'function_call']) {
      const value = field === 'functions' ? [{ name: 'f' }] : { type: 'content', name: 'f' }
      expect(fault(() => toCanonical(body({ [field]: value }))).param).toBe(field)
    }
  })

  it('names the part that another protocol has no word for', () => {
    const content = [{ type: 'video_url', video_url: { url: 'https://x.test' } }]
    expect(fault(() => toCanonical(body({ messages: [{ role: 'user', content }] }))).param).toBe(
      'messages[0].content[0].type',
    )
    const local = [{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }]
    expect(fault(() => toCanonical(body({ messages: [{ role: 'user', content: local }] }))).param).toBe(
      'messages[0].content[0].image_url.url',
    )
  })
})
