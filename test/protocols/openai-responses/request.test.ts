// Requests to the Responses API: into canonical form and out of it, and what is refused by name on either way.
import { describe, expect, it } from 'vitest'
import type { ChatRequest, JsonObject } from '../../../src/contract.ts'
import { encodeRequest } from '../../../src/protocols/openai-responses/encode.ts'
import { openaiResponsesFront as front } from '../../../src/protocols/openai-responses/front.ts'
import { readResponsesRequest, toCanonical } from '../../../src/protocols/openai-responses/request.ts'
import { readUsage, writeUsage } from '../../../src/protocols/openai-responses/usage.ts'

const canonical = (body: JsonObject) => toCanonical({ model: 'm', ...body })

describe('a request in canonical form', () => {
  it('has instructions first, and the model’s own items that stand together as one message', () => {
    const { messages } = canonical({
      instructions: 'Be brief.',
      input: [
        { role: 'user', content: 'Hi' },
        { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'Hm.' }], encrypted_content: 'gAAA' },
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I call.' }] },
        { type: 'function_call', call_id: 'c1', name: 'f', namespace: 'ns', arguments: '{}' },
        { type: 'custom_tool_call', call_id: 'c2', name: 'patch', input: '*** Begin' },
        { type: 'function_call_output', call_id: 'c1', output: 'one' },
        { type: 'custom_tool_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'two' }] },
      ],
    })
    expect(messages).toEqual([
      { role: 'developer', content: [{ type: 'text', text: 'Be brief.' }] },
      { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'Hm.', id: 'rs_1', encrypted: 'gAAA' },
          { type: 'text', text: 'I call.' },
          { type: 'tool_call', id: 'c1', kind: 'function', name: 'f', namespace: 'ns', arguments: '{}' },
          { type: 'tool_call', id: 'c2', kind: 'custom', name: 'patch', arguments: '*** Begin' },
        ],
      },
      { role: 'tool', content: [{ type: 'tool_result', call_id: 'c1', content: [{ type: 'text', text: 'one' }] }] },
      { role: 'tool', content: [{ type: 'tool_result', call_id: 'c2', content: [{ type: 'text', text: 'two' }] }] },
    ])
  })

  it('has pictures and documents, by address, by id and as bytes', () => {
    const { messages } = canonical({
      input: [
        {
          role: 'user',
          content: [
            { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'low' },
            { type: 'input_image', file_id: 'file_1' },
            { type: 'input_file', file_url: 'https://example.com/a.pdf' },
            { type: 'input_file', file_data: 'AAAA', filename: 'a.pdf' },
          ],
        },
      ],
    })
    expect(messages[0]?.content).toEqual([
      { type: 'image', image: { type: 'bytes', media_type: 'image/png', data: Buffer.alloc(3) }, detail: 'low' },
      { type: 'image', image: { type: 'file', id: 'file_1' } },
      { type: 'document', document: { type: 'url', url: 'https://example.com/a.pdf' } },
      {
        type: 'document',
        document: { type: 'bytes', media_type: 'application/pdf', data: Buffer.alloc(3) },
        filename: 'a.pdf',
      },
    ])
  })

  it('leaves out tools that the model need not use, and refuses to be made to use them', () => {
    const tools = [{ type: 'web_search' }, { type: 'function', name: 'f', parameters: {} }]
    expect(canonical({ input: 'x', tools }).tools).toEqual([{ kind: 'function', name: 'f', parameters: {} }])
    expect(canonical({ input: 'x', tools: [{ type: 'web_search' }], tool_choice: 'auto' })).not.toHaveProperty('tools')
    for (const tool_choice of [{ type: 'web_search' }, 'required']) {
      expect(() => canonical({ input: 'x', tools: [{ type: 'web_search' }], tool_choice })).toThrow(/tool/)
    }
  })
})

describe('a canonical request sent to a provider', () => {
  const full: ChatRequest = {
    model: 'm',
    messages: [
      { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
      { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'Hm.', encrypted: 'gAAA' },
          { type: 'reasoning', text: 'Another vendor’s.', signature: 's' },
          { type: 'tool_call', id: 'c1', kind: 'function', name: 'f', arguments: '{}' },
        ],
      },
      {
        role: 'tool',
        content: [{ type: 'tool_result', call_id: 'c1', content: [{ type: 'text', text: 'no' }], is_error: true }],
      },
    ],
    tools: [{ kind: 'function', name: 'f', parameters: { type: 'object' } }],
    tool_choice: { mode: 'tool', name: 'f' },
    max_output_tokens: 100,
    response_format: { type: 'json_schema', name: 'form', schema: { type: 'object' } },
    reasoning: { effort: 'low' },
    verbosity: 'low',
    choices: 1,
    presence_penalty: 0,
  }

  it('says all of it in this format, and asks the provider to keep nothing', () => {
    expect(encodeRequest(full, 'gpt-6-astra')).toEqual({
      model: 'gpt-6-astra',
      input: [
        { type: 'message', role: 'system', content: [{ type: 'input_text', text: 'Be brief.' }] },
        { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hi' }] },
        { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm.' }], encrypted_content: 'gAAA' },
        { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' },
        { type: 'function_call_output', call_id: 'c1', output: 'Error: no' },
      ],
      tools: [{ type: 'function', name: 'f', parameters: { type: 'object' }, strict: false }],
      tool_choice: { type: 'function', name: 'f' },
      max_output_tokens: 100,
      text: {
        format: { type: 'json_schema', name: 'form', schema: { type: 'object' }, strict: false },
        verbosity: 'low',
      },
      reasoning: { effort: 'low' },
      include: ['reasoning.encrypted_content'],
      store: false,
    })
  })

  it.each([
    [{ choices: 2 }, 'n'],
    [{ stop: ['x'] }, 'stop'],
    [{ seed: 1 }, 'seed'],
    [{ presence_penalty: 1 }, 'presence_penalty'],
    [{ top_k: 1 }, 'top_k'],
    [{ modalities: ['audio'] }, 'modalities'],
  ])('cannot say %j, and names it', (more, param) => {
    expect(() => encodeRequest({ ...full, ...more }, 'm')).toThrow(
      expect.objectContaining({ kind: 'invalid_request', detail: expect.objectContaining({ param }) }),
    )
  })
})

describe('a request that passes through', () => {
  const target = { upstream: 'gpt', output_limit: 100, limit_field: undefined }

  it('keeps every field but the router’s own, and has a limit', () => {
    const body = readResponsesRequest({
      model: 'm',
      input: [{ type: 'mcp_call', id: 'mcp_1' }],
      future: 1,
      previous_response_id: 'resp_1',
    })
    expect(front.toProvider?.(body, target)).toEqual({
      model: 'gpt',
      input: [{ type: 'mcp_call', id: 'mcp_1' }],
      future: 1,
      max_output_tokens: 100,
    })
  })

  it('leaves out thoughts of other vendors’ models, and keeps the provider’s own', () => {
    const own = { type: 'reasoning', id: 'rs_0a1b', summary: [] }
    const foreign = { type: 'reasoning', id: 'rs_01M7Y40X1690DC36XYVK3QMG6000', summary: [] }
    const signed = { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'signature:abc' }
    const body = { model: 'm', input: [own, foreign, signed] }
    expect(front.toProvider?.(body, target).input).toEqual([own])
  })
})

describe('usage', () => {
  it('is read into disjoint meters and written back', () => {
    const usage = {
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 60, cache_write_tokens: 10 },
      output_tokens: 9,
      output_tokens_details: { reasoning_tokens: 4 },
      total_tokens: 109,
    }
    const read = readUsage({ usage, tool_usage: { web_search: { num_requests: 2 } } })
    expect(read?.meters).toEqual({
      input_tokens: 30,
      cached_input_tokens: 60,
      cache_write_tokens: 10,
      output_tokens: 9,
      web_searches: 2,
    })
    expect(read && writeUsage(read)).toEqual(usage)
    expect(readUsage({ usage: { input_tokens: -1, output_tokens: 2 } })).toBeUndefined()
  })
})
