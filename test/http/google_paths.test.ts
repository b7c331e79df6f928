// The paths of Google's clients as they are without any setting but the address and the key.
import { GoogleGenAI } from '@google/genai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestRouter, testRouter } from '../support/router.ts'

let router: TestRouter

beforeAll(async () => {
  router = await testRouter()
})
afterAll(() => router.close())

async function post(path: string) {
  const body = JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] })
  const headers = { 'x-goog-api-key': router.api_key, 'content-type': 'application/json' }
  const response = await fetch(router.url + path, { method: 'POST', headers, body })
  return { status: response.status, answer: JSON.stringify(await response.json()) }
}

describe('the paths of Google’s clients', () => {
  it('are at /v1 for its own SDK, which is told no version', async () => {
    const client = new GoogleGenAI({ apiKey: router.api_key, httpOptions: { baseUrl: router.url } })
    const { text } = await client.models.generateContent({ model: 'sandbox/chat', contents: 'Hello' })
    expect(text).toContain('Hello')
    const names: string[] = []
    for await (const { name } of await client.models.list()) names.push(name ?? '')
    expect(names).toContain('models/sandbox/chat')
  })

  it('may lack models/ before a name with a slash', async () => {
    for (const name of ['sandbox/chat', 'models/sandbox/chat', 'models/sandbox%2Fchat'])
      expect(await post(`/v1beta/${name}:generateContent`)).toMatchObject({ answer: expect.stringContaining('Hello') })
  })

  it('are answered with Google’s errors', async () => {
    const { status, answer } = await post('/v1/models/nobody/nothing:generateContent')
    expect(status).toBe(404)
    expect(JSON.parse(answer)).toMatchObject({ error: { code: 404, status: 'NOT_FOUND' } })
  })

  it('leave the list at /v1/models to everybody else', async () => {
    const response = await fetch(`${router.base_url}/models`, {
      headers: { authorization: `Bearer ${router.api_key}` },
    })
    expect(await response.json()).toMatchObject({ object: 'list' })
  })
})
