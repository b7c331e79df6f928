// Reading generateContent requests: in both spellings, strictly where a field is known, and into canonical form.
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../../src/contract.ts'
import { geminiFront } from '../../../src/protocols/gemini/front.ts'
import { readCountRequest, readGeminiRequest, toCanonical } from '../../../src/protocols/gemini/request.ts'

const contents = [{ role: 'user', parts: [{ text: 'hi' }] }]
const read = (body: JsonObject) => readGeminiRequest({ model: 'm', stream: false, contents, ...body })
const canonical = (body: JsonObject) => toCanonical(read(body))
const fault = (work: () => unknown) => {
  try {
    work()
  } catch (error) {
    return error
  }
  return expect.unreachable('it was accepted')
}

describe('a request', () => {
  it('is read in both spellings of its fields, and with one object where a list belongs', () => {
    const snake = read({
      system_instruction: { parts: { text: 'Be brief.' } },
      generation_config: { max_output_tokens: 5, thinking_config: { thinking_budget: 0 } },
      tools: { function_declarations: [{ name: 'f', parameters: { type: 'OBJECT', any_of: [] } }] },
      contents: { parts: [{ inline_data: { mime_type: 'image/png', data: 'AAAA' } }] },
    } as never)
    expect(snake).toEqual({
      model: 'm',
      stream: false,
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      generationConfig: { maxOutputTokens: 5, thinkingConfig: { thinkingBudget: 0 } },
      tools: [{ functionDeclarations: [{ name: 'f', parameters: { type: 'OBJECT', any_of: [] } }] }],
      contents: [{ parts: [{ inlineData: { mimeType: 'image/png', data: 'AAAA' } }] }],
    })
  })

  it('keeps the caller’s own names: arguments, results, schemas', () => {
    const parts = [
      { functionCall: { name: 'f', args: { mime_type: 1, parts: { a: 1 } } } },
      { functionResponse: { name: 'f', response: { file_uri: 1 } } },
    ]
    expect(read({ contents: [{ role: 'model', parts }] }).contents).toEqual([{ role: 'model', parts }])
  })

  it('takes unknown fields on to Google, with its model and a limit, and nothing of the router’s own', () => {
    const body = read({ futureField: { a: 1 }, generationConfig: { temperature: 1 } })
    expect(
      geminiFront.toProvider?.(body, { upstream: 'gemini-x', output_limit: 99, limit_field: undefined }),
    ).toMatchObject({
      model: 'gemini-x',
      futureField: { a: 1 },
      generationConfig: { temperature: 1, maxOutputTokens: 99 },
    })
  })

  it.each<[string, JsonObject, string]>([
    ['no contents', { contents: [] }, 'contents'],
    ['an unknown role', { contents: [{ role: 'assistant', parts: [] }] }, 'contents[0].role'],
    ['a limit that is no number', { generationConfig: { maxOutputTokens: '5' } }, 'generationConfig.maxOutputTokens'],
    ['a limit of nothing', { generationConfig: { maxOutputTokens: 0 } }, 'generationConfig.maxOutputTokens'],
    [
      'a file without its kind',
      { contents: [{ parts: [{ inlineData: { data: 'AAAA' } }] }] },
      'contents[0].parts[0].inlineData.mimeType',
    ],
    ['an address of its own', { base_url: 'https://evil.test' }, 'base_url'],
    ['what is kept in the operator’s account', { cachedContent: 'cachedContents/x' }, 'cachedContent'],
    ['stores of the operator', { tools: [{ fileSearch: { fileSearchStoreNames: ['x'] } }] }, 'tools[].fileSearch'],
    [
      'files of the operator',
      {
        contents: [{ parts: [{ fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/x' } }] }],
      },
      'contents[].parts[].fileData',
    ],
  ])('is refused with %s, naming the field', (_what, body, param) => {
    expect(fault(() => read(body))).toMatchObject({ name: 'WireError', param })
  })

  it('is counted with its contents alone or whole', () => {
    const whole = { generate_content_request: { model: 'models/m', contents, tools: [] } }
    expect(readCountRequest(whole as never, 'm')).toEqual({ model: 'm', stream: false, contents, tools: [] })
    expect(readCountRequest({ contents }, 'm')).toEqual({ model: 'm', stream: false, contents })
  })

  it('tells what decides its price', () => {
    const body = read({
      stream: true,
      serviceTier: 'FLEX',
      generationConfig: { maxOutputTokens: 7, candidateCount: 2, responseModalities: ['AUDIO'] },
    })
    expect(geminiFront.facts(body)).toEqual({
      stream: true,
      output_limit: { tokens: 7, param: 'generationConfig.maxOutputTokens' },
      choices: 2,
      attributes: { tier: 'flex' },
      speaks: true,
    })
  })
})

describe('in canonical form', () => {
  it('says the same', () => {
    const request = canonical({
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      contents: [
        {
          role: 'user',
          parts: [
            { text: 'look' },
            { inlineData: { mimeType: 'image/png', data: 'cG5n' } },
            { inlineData: { mimeType: 'audio/wav', data: 'd2F2' } },
            { inlineData: { mimeType: 'application/pdf', data: 'cGRm' } },
            { fileData: { fileUri: 'https://x.test/film.mp4', mimeType: 'video/mp4' } },
          ],
        },
        {
          role: 'model',
          parts: [
            { text: 'hm', thought: true, thoughtSignature: 's1' },
            { functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 's2' },
            { functionCall: { id: 'c2', name: 'f', args: {} } },
          ],
        },
        {
          role: 'user',
          parts: [
            { functionResponse: { name: 'f', response: { output: 'one' } } },
            { functionResponse: { id: 'c2', name: 'f', response: { error: 'two' } } },
            { functionResponse: { name: 'g', response: { a: 1, b: 2 } } },
          ],
        },
      ],
      generationConfig: {
        temperature: 0.5,
        topP: 0.9,
        topK: 3,
        candidateCount: 2,
        maxOutputTokens: 9,
        stopSequences: ['x'],
        seed: 1,
        responseMimeType: 'application/json',
        responseSchema: {
          type: 'OBJECT',
          properties: { type: { type: 'STRING', nullable: true } },
          property_ordering: ['type'],
        },
        responseModalities: ['TEXT'],
        thinkingConfig: { thinkingBudget: 100, includeThoughts: true },
      },
      safetySettings: [{ category: 'HARM_CATEGORY_HATE_SPEECH', threshold: 'BLOCK_NONE' }],
    })
    expect(request).toEqual({
      model: 'm',
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'look' },
            { type: 'image', image: { type: 'bytes', data: Buffer.from('png'), media_type: 'image/png' } },
            { type: 'audio', audio: { type: 'bytes', data: Buffer.from('wav'), media_type: 'audio/wav' } },
            { type: 'document', document: { type: 'bytes', data: Buffer.from('pdf'), media_type: 'application/pdf' } },
            { type: 'video', video: { type: 'url', url: 'https://x.test/film.mp4', media_type: 'video/mp4' } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'reasoning', text: 'hm', signature: 'google:s1' },
            {
              type: 'tool_call',
              id: 'call_1',
              kind: 'function',
              name: 'f',
              arguments: '{"a":1}',
              signature: 'google:s2',
            },
            { type: 'tool_call', id: 'c2', kind: 'function', name: 'f', arguments: '{}' },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', call_id: 'call_1', name: 'f', content: [{ type: 'text', text: 'one' }] },
            { type: 'tool_result', call_id: 'c2', name: 'f', content: [{ type: 'text', text: 'two' }], is_error: true },
            { type: 'tool_result', call_id: 'call_2', name: 'g', content: [{ type: 'text', text: '{"a":1,"b":2}' }] },
          ],
        },
      ],
      temperature: 0.5,
      top_p: 0.9,
      top_k: 3,
      choices: 2,
      max_output_tokens: 9,
      stop: ['x'],
      seed: 1,
      response_format: {
        type: 'json_schema',
        name: 'response',
        schema: { type: 'object', properties: { type: { type: ['string', 'null'] } } },
      },
      reasoning: { budget_tokens: 100, summary: 'auto' },
    })
  })

  it('leaves to the model what Google does unasked', () => {
    const asked = canonical({ generationConfig: { temperature: 1, topP: 0.95, topK: 64 } })
    expect(Object.keys(asked).sort()).toEqual(['messages', 'model'])
  })

  it('joins the pieces of a thought, which ends with its signature', () => {
    const parts = [
      { text: 'I ', thought: true },
      { text: 'look.', thought: true },
      { text: '', thought: true, thoughtSignature: 's1' },
      { text: 'Again.', thought: true },
      { text: 'Rain.' },
    ]
    const { messages } = canonical({ contents: [...contents, { role: 'model', parts }, ...contents] })
    expect(messages[1]?.content).toEqual([
      { type: 'reasoning', text: 'I look.', signature: 'google:s1' },
      { type: 'reasoning', text: 'Again.' },
      { type: 'text', text: 'Rain.' },
    ])
  })

  it('names functions, Google’s own tools and what may be called', () => {
    const functionDeclarations = [
      {
        name: 'f',
        description: 'does',
        parameters: { type: 'OBJECT', properties: { n: { type: 'INTEGER', minimum: '1' } } },
      },
      { name: 'g', parametersJsonSchema: { $ref: '#/x' } },
    ]
    const tools = [{ functionDeclarations }, { googleSearch: {} }]
    expect(canonical({ tools }).tools).toEqual([
      {
        kind: 'function',
        name: 'f',
        description: 'does',
        parameters: { type: 'object', properties: { n: { type: 'integer', minimum: 1 } } },
      },
      { kind: 'function', name: 'g', parameters: { $ref: '#/x' } },
      { kind: 'server', name: 'googleSearch', settings: {} },
    ])
    const choice = (mode: string, allowedFunctionNames?: string[]) =>
      canonical({
        toolConfig: { functionCallingConfig: { mode, ...(allowedFunctionNames && { allowedFunctionNames }) } },
      }).tool_choice
    expect([choice('AUTO'), choice('VALIDATED'), choice('NONE'), choice('ANY'), choice('ANY', ['f'])]).toEqual([
      { mode: 'auto' },
      { mode: 'auto' },
      { mode: 'none' },
      { mode: 'required' },
      { mode: 'tool', name: 'f' },
    ])
    expect(choice('ANY', ['f', 'g'])).toEqual({ mode: 'allowed', required: true, names: ['f', 'g'] })
  })

  it.each<[string, JsonObject]>([
    ['futureField', { futureField: 1 }],
    ['futureSetting', { generationConfig: { futureSetting: 1 } }],
    ['safetySettings', { safetySettings: [{ category: 'c', threshold: 'BLOCK_LOW_AND_ABOVE' }] }],
    ['generationConfig.mediaResolution', { generationConfig: { mediaResolution: 'LOW' } }],
    ['generationConfig.responseModalities', { generationConfig: { responseModalities: ['AUDIO'] } }],
    ['generationConfig.responseMimeType', { generationConfig: { responseMimeType: 'text/x.enum' } }],
    ['contents[0].parts[0].executableCode', { contents: [{ parts: [{ executableCode: { code: '1' } }] }] }],
    ['toolConfig.retrievalConfig', { toolConfig: { retrievalConfig: { languageCode: 'de' } } }],
  ])('refuses %s, which only Google’s models understand', (param, body) => {
    expect(fault(() => canonical(body))).toMatchObject({ name: 'WireError', param })
  })
})
