// What a search of the web may cost beside the words: held where it can happen, in every format that passes through.
import { describe, expect, it } from 'vitest'
import { geminiFront } from '../../src/protocols/gemini/front.ts'
import { openaiResponsesFront } from '../../src/protocols/openai-responses/front.ts'

const responses = (more: object) => openaiResponsesFront.inputUpperBound({ model: 'm', input: 'Hello', ...more })
const search = { type: 'web_search' }

describe('a search of the web', () => {
  it('is held with what OpenAI lets it bring in, and with its fees', () => {
    const plain = responses({}).input_tokens ?? 0
    const found = responses({ tools: [search] })
    expect(found).toMatchObject({ web_searches: 20 })
    expect((found.input_tokens ?? 0) - plain).toBeGreaterThanOrEqual(128_000)
    expect((found.input_tokens ?? 0) - plain).toBeLessThan(130_000)
    expect(responses({ tools: [search], max_tool_calls: 3 })).toMatchObject({ web_searches: 3 })
  })

  it('without a budget may fill the whole context', () => {
    const tools = [{ ...search, return_token_budget: 'unlimited' }]
    expect(responses({ tools }).input_tokens).toBeGreaterThan(2_000_000)
  })

  it('is not held where the tool is left out for another vendor’s model', () => {
    const body = { model: 'm', input: 'Hello', tools: [search, { type: 'function', name: 'f', parameters: {} }] }
    const told = openaiResponsesFront.translatable?.(body) ?? body
    expect(openaiResponsesFront.inputUpperBound(told)).not.toHaveProperty('web_searches')
    expect(told.tools).toEqual(body.tools.slice(1))
  })

  it('by Google brings in little, and has its fees', () => {
    const body = { model: 'm', contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] }
    const found = geminiFront.inputUpperBound({ ...body, tools: [{ googleSearch: {} }] })
    expect(found).toMatchObject({ web_searches: 16 })
    expect(found.input_tokens).toBeLessThan(20_000)
    const read = geminiFront.inputUpperBound({ ...body, tools: [{ googleSearch: {} }, { urlContext: {} }] })
    expect(read.input_tokens).toBeGreaterThan(2_000_000)
  })
})
