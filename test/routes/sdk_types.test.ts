// What the router answers, held against the types of the official SDKs: they are made of the vendors' API documents, and
// newer than those that are public. Every kind of answer that callers of these SDKs get, from the sandbox and from providers
// of three other formats.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readEvents } from '../../src/protocols/sse.ts'
import { type Stub, startStub } from '../clients/stub/server.ts'
import { eventually, get, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'
import { type Typed, typeFaults } from '../support/type_check.ts'

/**
 * `output_text` is the SDK's own doing. OpenAI's API says null for what is absent, and Anthropic's leaves out what is null,
 * and the `caller` of a tool that code may not call (recordings of 2026-07). The codes of errors are ours.
 */
const HEAD = `import OpenAI from 'openai'
import type Anthropic from '@anthropic-ai/sdk'
type MayLack<Each, Name extends keyof Each> = null extends Each[Name] ? Name : Name extends 'caller' ? Name : never
type Wire<Each> = Each extends object
  ? { [Name in keyof Each as MayLack<Each, Name>]?: Wire<Each[Name]> } &
      { [Name in keyof Each as Exclude<Name, MayLack<Each, Name>>]: Wire<Each[Name]> }
  : Each
type OrNull<Each> = { [Name in keyof Each]: undefined extends Each[Name] ? Each[Name] | null : Each[Name] }
type Response = OrNull<Omit<OpenAI.Responses.Response, 'output_text' | 'error'>> & {
  error: { code: string; message: string } | null
}
type Event<Each = OpenAI.Responses.ResponseStreamEvent> =
  Each extends { response: OpenAI.Responses.Response } ? Omit<Each, 'response'> & { response: Response } : Each`

let stub: Stub
let router: TestRouter
const seen: Typed[] = []
beforeAll(async () => {
  stub = await startStub()
  router = await testRouter({
    ANTHROPIC_API_KEY: 'stub',
    ANTHROPIC_BASE_URL: stub.url,
    GEMINI_API_KEY: 'stub',
    GEMINI_BASE_URL: stub.url,
    GROQ_API_KEY: 'stub',
    GROQ_BASE_URL: `${stub.url}/v1`,
  })
})
afterAll(async () => {
  await router.close()
  await stub.close()
})

async function json(type: string, path: string, body?: object) {
  const answer = body ? await post(router, path, body) : await get(router, path)
  const value = await answer.json()
  expect(answer.status, JSON.stringify(value)).toBeLessThan(300)
  seen.push({ type, value, from: path })
  return value as { id: string; status?: string }
}

async function stream(type: string, path: string, body: object) {
  const answer = await post(router, path, { ...body, stream: true })
  for (const { data } of readEvents(await answer.text())) {
    if (data !== '[DONE]') seen.push({ type, value: JSON.parse(data), from: `${path} (stream)` })
  }
}

async function form(type: string, path: string, fields: Record<string, string>) {
  const body = new FormData()
  const speech = { model: 'sandbox/speech', input: 'Hello', voice: 'alloy', response_format: 'wav' }
  const spoken = await (await post(router, '/audio/speech', speech)).blob()
  body.append('file', new File([spoken], 'speech.wav'))
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  const headers = { authorization: `Bearer ${router.api_key}` }
  const answer = await fetch(router.base_url + path, { method: 'POST', headers, body })
  const text = await answer.text()
  expect(answer.status, text).toBe(200)
  seen.push({ type, value: JSON.parse(text), from: `${path} ${fields.response_format}` })
}

const weather = { name: 'weather', description: 'How it is', parameters: { type: 'object', properties: {} } }
const CALL = 'Look [[tool:weather {"city":"Oslo"}]]'
const models = ['sandbox/chat', 'anthropic/claude-sonnet-5', 'google/gemini-3.5-flash', 'groq:openai/gpt-oss-20b']

describe('the types of the official SDKs', () => {
  it.each(models)('are kept by answers of %s', async (model) => {
    for (const content of ['Hello', CALL]) {
      const chat = { model, messages: [{ role: 'user', content }], tools: [{ type: 'function', function: weather }] }
      await json('OpenAI.ChatCompletion', '/chat/completions', chat)
      await stream('OpenAI.ChatCompletionChunk', '/chat/completions', {
        ...chat,
        stream_options: { include_usage: true },
      })
      const response = { model, input: content, tools: [{ type: 'function', ...weather }] }
      const { id } = await json('Response', '/responses', response)
      await json('Response', `/responses/${id}`)
      await json('{ data: OpenAI.Responses.ResponseItem[]; has_more: boolean }', `/responses/${id}/input_items`)
      await stream('Event', '/responses', response)
      const message = { model, max_tokens: 100, messages: [{ role: 'user', content }] }
      const tools = [{ name: 'weather', input_schema: weather.parameters }]
      await json('Wire<Anthropic.Message>', '/messages', { ...message, tools })
      await stream('Wire<Anthropic.RawMessageStreamEvent> | { type: "ping" }', '/messages', { ...message, tools })
      await json('OpenAI.Completion', '/completions', { model, prompt: content })
    }
    await json('OpenAI.Responses.InputTokenCountResponse', '/responses/input_tokens', { model, input: 'Hello' })
    await json('Anthropic.MessageTokensCount', '/messages/count_tokens', {
      model,
      messages: [{ role: 'user', content: 'Hello' }],
    })
  })

  it('are kept by what else the sandbox makes', async () => {
    const model = 'sandbox/chat'
    const queued = await json('Response', '/responses', { model, input: 'Later', background: true })
    await eventually(async () => {
      const now = (await (await get(router, `/responses/${queued.id}`)).json()) as { status: string }
      return now.status === 'completed' ? now : undefined
    })
    await json('Response', `/responses/${queued.id}`)
    const stopped = await json('Response', '/responses', { model, input: 'Never [[delay:60s]]', background: true })
    await json('Response', `/responses/${stopped.id}/cancel`, {})
    await stream('Event', '/responses', { model, input: 'Hello [[cut]]' })
    await json(
      'OpenAI.Responses.CompactedResponse["usage"] extends infer T ? { usage: T; object: "response.compaction" } : never',
      '/responses/compact',
      { model, input: 'Long' },
    )
    await json('OpenAI.CreateEmbeddingResponse', '/embeddings', { model: 'sandbox/embed', input: ['a', 'b'] })
    const picture = { model: 'sandbox/image', prompt: 'A heron', size: '64x64' }
    await json('OpenAI.ImagesResponse', '/images/generations', picture)
    await stream('OpenAI.Images.ImageGenStreamEvent', '/images/generations', { ...picture, partial_images: 1 })
    const video = await json('OpenAI.Videos.Video', '/videos', {
      model: 'sandbox/video',
      prompt: 'A heron',
      seconds: '4',
    })
    await json('OpenAI.Videos.Video', `/videos/${video.id}`)
    await json('{ data: OpenAI.Videos.Video[]; has_more: boolean; last_id: string | null }', '/videos')
    await json('{ object: "list"; data: OpenAI.Model[] }', '/models')
    await json('OpenAI.Model', '/models/sandbox/chat')
    const spoken = { model: 'sandbox/transcribe' }
    await form('OpenAI.Audio.Transcription', '/audio/transcriptions', { ...spoken, response_format: 'json' })
    await form('OpenAI.Audio.TranscriptionVerbose', '/audio/transcriptions', {
      ...spoken,
      response_format: 'verbose_json',
    })
    await form('OpenAI.Audio.Translation', '/audio/translations', { ...spoken, response_format: 'json' })
  })

  it('has nothing against any of them', async () => {
    expect(seen.length).toBeGreaterThan(200)
    expect(await typeFaults(HEAD, seen)).toEqual([])
  }, 60_000)
})
