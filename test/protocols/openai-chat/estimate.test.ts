// The upper bound of a chat request's input: never below what any tokenizer could count.
import { describe, expect, it } from 'vitest'
import { inputUpperBound } from '../../../src/protocols/openai-chat/estimate.ts'

const ask = (content: unknown, more: object = {}) =>
  inputUpperBound({ model: 'm', messages: [{ role: 'user', content }], ...more })

describe('inputUpperBound', () => {
  it('counts every byte of text and a little for each message', () => {
    const bound = ask('é'.repeat(100)).input_tokens ?? 0
    expect(bound).toBeGreaterThanOrEqual(200 + 16)
    expect(bound).toBeLessThan(1500)
  })

  it('counts tools and the schema of the answer', () => {
    const tools = [{ type: 'function', function: { name: 'f', description: 'x'.repeat(500) } }]
    expect(ask('hi', { tools }).input_tokens).toBeGreaterThan(500)
    expect(
      ask('hi', { response_format: { type: 'json_schema', json_schema: { schema: { x: 'y'.repeat(300) } } } })
        .input_tokens,
    ).toBeGreaterThan(300)
  })

  it('counts pictures by their detail and not by their bytes', () => {
    const url = `data:image/png;base64,${'A'.repeat(1_000_000)}`
    expect(ask([{ type: 'image_url', image_url: { url, detail: 'low' } }]).input_tokens).toBeLessThan(3000)
    expect(ask([{ type: 'image_url', image_url: { url } }]).input_tokens).toBeGreaterThan(16_000)
    expect(
      ask([{ type: 'image_url', image_url: { url } }], { model: 'openai/gpt-4o-mini' }).input_tokens,
    ).toBeGreaterThan(48_000)
  })

  it('counts sound apart, by its bytes', () => {
    const bound = ask([{ type: 'input_audio', input_audio: { data: 'A'.repeat(400_000), format: 'mp3' } }])
    expect(bound.input_audio_tokens).toBe(9_600 + 100)
    expect(bound.input_tokens).toBeLessThan(1500)
  })

  it('knows that it cannot know what only the provider sees', () => {
    expect(ask([{ type: 'file', file: { file_id: 'file-1' } }]).input_tokens).toBeGreaterThan(1_000_000)
  })

  it('knows that a search of the provider’s own has no bound but the context', () => {
    expect(ask('hi', { tools: [{ type: 'openrouter:web_search' }] }).input_tokens).toBeGreaterThan(1_000_000)
  })
})
