// Files by address for chat providers that fetch none: brought here through the guard, once each, before the provider is asked.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ChatRequest } from '../../src/contract.ts'
import { inlineFiles } from '../../src/flow/chat/inline_files.ts'
import { openaiChatFront } from '../../src/protocols/openai-chat/front.ts'
import { json, Stub } from '../providers/stub.ts'
import { costOf, errorOf, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

const stub = new Stub()
let router: TestRouter
beforeAll(async () => {
  await stub.start()
  router = await testRouter({
    GEMINI_API_KEY: 'stub',
    GEMINI_BASE_URL: stub.url,
    OLLAMA_BASE_URL: `${stub.url}/v1`,
  })
})
afterAll(async () => {
  await router.close()
  await stub.stop()
})

const image = (url: string) => ({ type: 'image' as const, image: { type: 'url' as const, url } })
const bytes = { type: 'bytes' as const, data: Buffer.from('x'), media_type: 'image/png' }

describe('files by address', () => {
  it('are fetched once each, in messages and in results of tools; what the provider fetches stays', async () => {
    const asked: string[] = []
    const request: ChatRequest = {
      model: 'm',
      messages: [
        { role: 'user', content: [image('https://a.test/1'), image('https://a.test/1'), image('https://own.test/2')] },
        { role: 'tool', content: [{ type: 'tool_result', call_id: 'c', content: [image('https://a.test/3')] }] },
      ],
    }
    const sent = await inlineFiles(
      request,
      (url) => url.startsWith('https://own.test/'),
      async (url) => {
        asked.push(url)
        return bytes
      },
    )
    expect(asked.sort()).toEqual(['https://a.test/1', 'https://a.test/3'])
    const inlined = { type: 'image', image: bytes }
    expect(sent.messages).toMatchObject([
      { content: [inlined, inlined, image('https://own.test/2')] },
      { content: [{ content: [inlined] }] },
    ])
  })

  it('become data in a body that passes through', async () => {
    const part = (url: string) => ({ type: 'image_url', image_url: { url, detail: 'low' } })
    const body = {
      messages: [{ role: 'user', content: [part('https://a.test/1'), part('data:image/png;base64,eA==')] }],
    }
    const sent = await openaiChatFront.withFiles?.(body, async () => 'data:image/png;base64,eQ==')
    expect(sent?.messages).toEqual([
      { role: 'user', content: [part('data:image/png;base64,eQ=='), part('data:image/png;base64,eA==')] },
    ])
  })

  it.each(['google/gemini-3.5-flash', 'ollama/llava'])(
    'of private networks are refused by name for %s, before the provider hears of them, and cost nothing',
    async (model) => {
      stub.answer = json({})
      const spent = await costOf(router, async () => {
        const content = [{ type: 'image_url', image_url: { url: 'http://127.0.0.1:9/secret.png' } }]
        const answer = await post(router, '/chat/completions', { model, messages: [{ role: 'user', content }] })
        expect(await errorOf(answer)).toMatchObject({ status: 400, param: 'messages' })
      })
      expect(spent).toBe('0.000000000')
      expect(stub.seen).toEqual([])
    },
  )
})
