// OpenAI's usage and its dialects as disjoint meters; the vectors are true answers (recordings of 2024 to 2026).
import { describe, expect, it } from 'vitest'
import { readUsage, withCost, writeUsage } from '../../../src/protocols/openai-chat/usage.ts'

describe('readUsage', () => {
  it.each([
    ['plain', { prompt_tokens: 9, completion_tokens: 10, total_tokens: 19 }, { input_tokens: 9, output_tokens: 10 }],
    [
      'cache writes are input that is counted apart',
      {
        prompt_tokens: 4020,
        completion_tokens: 4,
        total_tokens: 4024,
        prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 4012 },
      },
      { input_tokens: 8, cache_write_tokens: 4012, output_tokens: 4 },
    ],
    [
      'sound in the input',
      {
        prompt_tokens: 64,
        completion_tokens: 9,
        total_tokens: 73,
        prompt_tokens_details: { audio_tokens: 44, text_tokens: 20 },
      },
      { input_tokens: 20, input_audio_tokens: 44, output_tokens: 9 },
    ],
    [
      'DeepSeek names its cache twice',
      {
        prompt_tokens: 563,
        completion_tokens: 116,
        total_tokens: 679,
        prompt_cache_hit_tokens: 512,
        prompt_tokens_details: { cached_tokens: 512 },
        completion_tokens_details: { reasoning_tokens: 60 },
      },
      { input_tokens: 51, cached_input_tokens: 512, output_tokens: 116 },
    ],
    [
      'DeepSeek’s own name alone',
      { prompt_tokens: 563, completion_tokens: 116, prompt_cache_hit_tokens: 512 },
      { input_tokens: 51, cached_input_tokens: 512, output_tokens: 116 },
    ],
    [
      'xAI counts reasoning apart',
      {
        prompt_tokens: 12,
        completion_tokens: 1,
        total_tokens: 303,
        prompt_tokens_details: { cached_tokens: 11 },
        completion_tokens_details: { reasoning_tokens: 290 },
      },
      { input_tokens: 1, cached_input_tokens: 11, output_tokens: 291 },
    ],
    [
      'reasoning that is included is not added',
      {
        prompt_tokens: 84,
        completion_tokens: 58,
        total_tokens: 142,
        completion_tokens_details: { reasoning_tokens: 48 },
      },
      { input_tokens: 84, output_tokens: 58 },
    ],
    [
      'Mistral',
      { prompt_tokens: 68, completion_tokens: 6, num_cached_tokens: 8 },
      { input_tokens: 60, cached_input_tokens: 8, output_tokens: 6 },
    ],
    [
      'OpenRouter’s searches',
      { prompt_tokens: 5, completion_tokens: 5, cost: 0.1, server_tool_use_details: { web_search_requests: 1 } },
      { input_tokens: 5, output_tokens: 5, web_searches: 1 },
    ],
    ['embeddings', { prompt_tokens: 8, total_tokens: 8 }, { input_tokens: 8, output_tokens: 0 }],
  ])('%s', (_name, raw, meters) => {
    expect(readUsage(raw)).toEqual({ meters, source: 'reported', raw })
  })

  it.each([
    undefined,
    null,
    {},
    'many',
    { prompt_tokens: -1, completion_tokens: 2 },
    { prompt_tokens: 1, completion_tokens: 2.5 },
    { prompt_tokens: 1, completion_tokens: 1e12 },
    { prompt_tokens: '7', completion_tokens: 1 },
  ])('%j is no usage', (raw) => expect(readUsage(raw)).toBeUndefined())

  it('never lets parts be more than the whole', () => {
    const raw = {
      prompt_tokens: 10,
      completion_tokens: 1,
      prompt_tokens_details: { cached_tokens: 50, audio_tokens: 4 },
    }
    expect(readUsage(raw)?.meters).toEqual({
      input_tokens: 0,
      cached_input_tokens: 6,
      input_audio_tokens: 4,
      output_tokens: 1,
    })
  })
})

it('writes meters as OpenAI would', () => {
  const meters = { input_tokens: 1, cached_input_tokens: 11, output_tokens: 291 }
  expect(writeUsage({ meters, source: 'reported' })).toMatchObject({
    prompt_tokens: 12,
    completion_tokens: 291,
    total_tokens: 303,
    prompt_tokens_details: { cached_tokens: 11 },
  })
})

it('prints the cost digit for digit', () => {
  expect(JSON.stringify(withCost({ prompt_tokens: 1, cost: 7 }, '0.000000001'))).toBe(
    '{"prompt_tokens":1,"cost":0.000000001}',
  )
})
