// Canonical requests as generateContent requests.
import { describe, expect, it } from 'vitest'
import type { ChatMessage, ChatRequest, ContentPart } from '../../../src/contract.ts'
import { encodeRequest } from '../../../src/protocols/gemini/encode.ts'
import { markSignature } from '../../../src/protocols/gemini/parts.ts'

const user = (...content: ContentPart[]): ChatMessage => ({ role: 'user', content })
const text = (words: string): ContentPart => ({ type: 'text', text: words })
const encode = (request: Partial<ChatRequest>, upstream = 'gemini-2.5-flash') =>
  encodeRequest({ model: 'm', messages: [user(text('hi'))], ...request }, upstream)
const call = (id: string, signature?: string): ContentPart => ({
  type: 'tool_call',
  id,
  kind: 'function',
  name: 'f',
  arguments: '{"a":1}',
  ...(signature && { signature }),
})

describe('messages', () => {
  it('become turns of user and model, with the system’s words apart and all results in one turn', () => {
    const { contents, systemInstruction } = encode({
      messages: [
        { role: 'system', content: [text('Be brief.')] },
        user(text('one')),
        user(text('two')),
        { role: 'assistant', content: [text('so'), call('c1', markSignature('sig')), call('c2')] },
        { role: 'tool', content: [{ type: 'tool_result', call_id: 'c1', content: [text('ok')] }] },
        { role: 'tool', content: [{ type: 'tool_result', call_id: 'c2', content: [text('{"b":2}')] }] },
        { role: 'developer', content: [text('And kind.')] },
      ],
    })
    expect(systemInstruction).toEqual({ parts: [{ text: 'Be brief.' }, { text: 'And kind.' }] })
    expect(contents).toEqual([
      { role: 'user', parts: [{ text: 'one' }, { text: 'two' }] },
      {
        role: 'model',
        parts: [
          { text: 'so' },
          { functionCall: { id: 'c1', name: 'f', args: { a: 1 } }, thoughtSignature: 'sig' },
          { functionCall: { id: 'c2', name: 'f', args: { a: 1 } } },
        ],
      },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: 'c1', name: 'f', response: { output: 'ok' } } },
          { functionResponse: { id: 'c2', name: 'f', response: { b: 2 } } },
        ],
      },
    ])
  })

  it('sign calls whose signature is lost or another vendor’s with Google’s own word for that', () => {
    for (const signature of [undefined, 'anthropics']) {
      const { contents } = encode({ messages: [{ role: 'assistant', content: [call('c', signature)] }] })
      expect(contents).toMatchObject([{ parts: [{ thoughtSignature: 'skip_thought_signature_validator' }] }])
    }
  })

  it('bring Google’s own thoughts back and leave other vendors’ out', () => {
    const thought = (signature?: string): ContentPart => ({
      type: 'reasoning',
      text: 'hm',
      ...(signature && { signature }),
    })
    const content = [thought(), thought('anthropics'), thought(markSignature('s')), text('so')]
    expect(encode({ messages: [{ role: 'assistant', content }] }).contents).toEqual([
      { role: 'model', parts: [{ text: 'hm', thought: true, thoughtSignature: 's' }, { text: 'so' }] },
    ])
  })

  it('carry files inline, and addresses with a kind guessed from them', () => {
    const image = (url: string): ContentPart => ({ type: 'image', image: { type: 'url', url } })
    const png: ContentPart = {
      type: 'image',
      image: { type: 'bytes', data: Buffer.from('png'), media_type: 'image/png' },
    }
    expect(
      encode({ messages: [user(png, image('https://x.test/a.webp?b'), image('https://x.test/a'))] }).contents,
    ).toEqual([
      {
        role: 'user',
        parts: [
          { inlineData: { mimeType: 'image/png', data: 'cG5n' } },
          { fileData: { fileUri: 'https://x.test/a.webp?b', mimeType: 'image/webp' } },
          { fileData: { fileUri: 'https://x.test/a', mimeType: 'image/jpeg' } },
        ],
      },
    ])
    const by_id: ContentPart = { type: 'document', document: { type: 'file', id: 'file-1' } }
    expect(() => encode({ messages: [user(by_id)] })).toThrow(/files by id/)
  })
})

describe('settings', () => {
  it('stand where Google has them', () => {
    expect(
      encode({
        max_output_tokens: 9,
        temperature: 1,
        top_p: 0.5,
        top_k: 3,
        choices: 2,
        stop: ['x'],
        seed: 4,
        presence_penalty: 0.1,
        frequency_penalty: 0.2,
        service_tier: 'priority',
        response_format: { type: 'json_schema', name: 'n', schema: { type: 'object' } },
      }),
    ).toEqual({
      contents: [{ role: 'user', parts: [{ text: 'hi' }] }],
      serviceTier: 'priority',
      generationConfig: {
        maxOutputTokens: 9,
        temperature: 1,
        topP: 0.5,
        topK: 3,
        candidateCount: 2,
        stopSequences: ['x'],
        seed: 4,
        presencePenalty: 0.1,
        frequencyPenalty: 0.2,
        responseMimeType: 'application/json',
        responseJsonSchema: { type: 'object' },
      },
    })
  })

  it.each([
    ['gemini-2.5-flash', { effort: 'low' }, { thinkingBudget: 1024 }],
    ['gemini-2.5-flash', { effort: 'none' }, { thinkingBudget: 0 }],
    ['gemini-3.5-flash', { effort: 'low' }, { thinkingLevel: 'LOW' }],
    ['gemini-4-argon', { effort: 'xhigh', summary: 'auto' }, { includeThoughts: true, thinkingLevel: 'HIGH' }],
    ['gemini-3.5-flash', { budget_tokens: 50 }, { thinkingBudget: 50 }],
  ])('%s is told %j as %j', (upstream, reasoning, thinkingConfig) => {
    expect(encode({ reasoning }, upstream).generationConfig).toEqual({ thinkingConfig })
  })

  it('name tools and which may be called', () => {
    const tool = { kind: 'function' as const, name: 'f', parameters: { type: 'object' } }
    expect(
      encode({ tools: [tool, { kind: 'server', name: 'web_search', settings: { type: 'web_search' } }] }).tools,
    ).toEqual([
      { functionDeclarations: [{ name: 'f', parametersJsonSchema: { type: 'object' } }] },
      { googleSearch: {} },
    ])
    const config = (request: Partial<ChatRequest>) => encode({ tools: [tool], ...request }).toolConfig
    const calling = (mode: string, names?: string[]) => ({
      functionCallingConfig: { mode, ...(names && { allowedFunctionNames: names }) },
    })
    expect(config({})).toBeUndefined()
    expect(config({ tool_choice: { mode: 'required' } })).toEqual(calling('ANY'))
    expect(config({ tool_choice: { mode: 'none' } })).toEqual(calling('NONE'))
    expect(config({ tool_choice: { mode: 'tool', name: 'f' } })).toEqual(calling('ANY', ['f']))
    expect(config({ tool_choice: { mode: 'allowed', required: false, names: ['f'] } })).toEqual(
      calling('VALIDATED', ['f']),
    )
    expect(config({ tools: [{ ...tool, strict: true }], tool_choice: { mode: 'auto' } })).toEqual(calling('VALIDATED'))
  })

  it.each<[string, Partial<ChatRequest>]>([
    ['logit_bias', { logit_bias: { '1': 1 } }],
    ['top_logprobs', { top_logprobs: 0 }],
    ['verbosity', { verbosity: 'low' }],
    ['audio', { audio: { format: 'wav', voice: 'x' } }],
    ["service_tier 'scale'", { service_tier: 'scale' }],
    ["reasoning effort 'none'", { reasoning: { effort: 'none' } }],
    ['tools of type custom', { tools: [{ kind: 'custom', name: 'c' }] }],
    ["the tool 'web_search'", { tools: [{ kind: 'server', name: 'web_search', settings: { filters: {} } }] }],
  ])('that Google cannot keep are refused by name: %s', (param, request) => {
    expect(() => encode(request, 'gemini-3.5-flash')).toThrow(
      expect.objectContaining({ kind: 'invalid_request', detail: { param } }) as Error,
    )
  })
})
