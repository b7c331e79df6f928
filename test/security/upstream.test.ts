// Providers that cannot be trusted: they repeat our credential, send bombs, and name addresses inside; and what of a caller's
// request may reach them. On a whole router, with one stub behind every vendor.
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { makeLog } from '../../src/http/log.ts'
import { type Caller, Site } from '../flow/site.ts'
import { json, type Seen, Stub, sse } from '../providers/stub.ts'

const KEYS = {
  OPENAI_API_KEY: 'sk-proj-0penAi5ecretKey0123456789abcdefXYZ',
  ANTHROPIC_API_KEY: 'sk-ant-api03-Anthr0picSecretKey0123456789-AA',
  GEMINI_API_KEY: 'AIzaSyG00gleSecretKey0123456789abcdefg',
  DEEPGRAM_API_KEY: '5f0c1de2a3b4958677a8b9c0d1e2f3a4b5c6d7e8',
}
const ORGANIZATION = 'org-0rgan1zationOfOurs99'

let site: Site
let caller: Caller
let lines: string[]
let stub: Stub
/** A service inside the operator's network. */
let inside: Stub
beforeAll(async () => {
  ;[stub, inside] = [await new Stub().start(), await new Stub().start()]
  lines = []
  site = await Site.open({
    environment: {
      ...KEYS,
      OPENAI_BASE_URL: `${stub.url}/v1`,
      ANTHROPIC_BASE_URL: stub.url,
      GEMINI_BASE_URL: stub.url,
      DEEPGRAM_BASE_URL: stub.url,
      OLLAMA_BASE_URL: `${stub.url}/v1`,
    },
    log: makeLog('trace', { write: (line) => void lines.push(line) }),
  })
  caller = await site.caller('50.00')
})
afterAll(async () => {
  await site.close()
  await Promise.all([stub.stop(), inside.stop()])
})
beforeEach(() => {
  stub.seen.length = 0
  inside.seen.length = 0
})
afterEach(async () => {
  const { held_usd, settled_usd } = await caller.credits()
  expect({ held_usd, settled_usd }).toEqual({ held_usd: '0.000000000', settled_usd: '0.000000000' })
})

const said = [{ role: 'user', content: 'hi' }]
const CALLS: [name: string, path: string, body: object][] = [
  ['a chat', '/v1/chat/completions', { model: 'openai/gpt-5-mini', messages: said }],
  ['a stream of a chat', '/v1/chat/completions', { model: 'openai/gpt-5-mini', messages: said, stream: true }],
  ['a response', '/v1/responses', { model: 'openai/gpt-5-mini', input: 'hi' }],
  ['a message', '/v1/messages', { model: 'anthropic/claude-haiku-4-5', max_tokens: 9, messages: said }],
  ['a chat over another protocol', '/v1/chat/completions', { model: 'anthropic/claude-haiku-4-5', messages: said }],
  [
    'Google’s',
    '/v1beta/models/google/gemini-2.5-flash:generateContent',
    { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
  ],
  ['embeddings', '/v1/embeddings', { model: 'openai/text-embedding-3-small', input: 'hi' }],
  ['moderation', '/v1/moderations', { model: 'openai/omni-moderation-latest', input: 'hi' }],
  [
    'a picture',
    '/v1/images/generations',
    { model: 'openai/gpt-image-1-mini', prompt: 'hi', n: 1, size: '1024x1024', quality: 'low' },
  ],
  ['speech', '/v1/audio/speech', { model: 'openai/gpt-4o-mini-tts', input: 'hi', voice: 'alloy' }],
  ['speech of Deepgram', '/v1/audio/speech', { model: 'deepgram/aura-2', input: 'hi', voice: 'thalia' }],
]

describe('a refusal of the provider that repeats our credential', () => {
  const message = () =>
    [
      `Incorrect API key provided: ${KEYS.OPENAI_API_KEY}.`,
      `Authorization: Bearer ${KEYS.ANTHROPIC_API_KEY}`,
      `x-goog-api-key: ${KEYS.GEMINI_API_KEY};`,
      `token ${KEYS.DEEPGRAM_API_KEY} of ${ORGANIZATION}`,
      `at ${stub.url}/v1/internal?key=${KEYS.GEMINI_API_KEY}`,
    ].join(' ')
  const bodies = [
    () => ({ error: { message: message(), type: message(), code: message(), param: message() } }),
    () => ({ detail: message(), message: message() }),
    () => [
      {
        error: {
          message: message(),
          status: message(),
          details: [{ reason: message(), fieldViolations: [{ field: message() }] }],
        },
      },
    ],
    () => message(),
  ]

  it.each(CALLS)('shows nothing of it to the caller, in the job or in the log: %s', async (_name, path, body) => {
    lines.length = 0
    const shown: string[] = []
    for (const status of [400, 401, 403, 404, 422, 429, 500, 503])
      for (const make of status === 400 || status === 401 ? bodies : bodies.slice(0, 1)) {
        const told = {
          'x-request-id': KEYS.OPENAI_API_KEY,
          'openai-organization': ORGANIZATION,
          'set-cookie': `k=${KEYS.OPENAI_API_KEY}`,
          'retry-after-ms': '1',
        }
        stub.answer = json(make(), status, told)
        const answer = await caller.send(path, body)
        expect([status, answer.status]).toEqual([status, expect.toBeOneOf([400, 429, 502, 503, 504])])
        shown.push(answer.text, JSON.stringify([...answer.headers]))
        if (make !== bodies[0]) continue
        shown.push((await caller.send(`/v1/jobs/${answer.job_id}`)).text)
        const admin = { headers: { authorization: `Bearer ${site.admin_key}` } }
        shown.push((await caller.send(`/api/v1/jobs/${answer.job_id}`, undefined, admin)).text)
      }
    expectNoSecret(shown.join('\n'))
    expectNoSecret(lines.join('\n'))
  })

  it('in the middle of a stream shows nothing of it either', async () => {
    const chunk = {
      id: 'c',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'm',
      choices: [{ index: 0, delta: { content: 'Hel' } }],
    }
    stub.answer = sse(
      `data: ${JSON.stringify(chunk)}\n\ndata: ${JSON.stringify({ error: { message: message(), type: 'server_error' } })}\n\n`,
    )
    const { text } = await caller.send('/v1/chat/completions', {
      model: 'openai/gpt-5-mini',
      messages: said,
      stream: true,
    })
    expect(text).toContain('"error"')
    expectNoSecret(text)
  })

  function expectNoSecret(text: string) {
    for (const secret of [...Object.values(KEYS), ORGANIZATION, stub.url, new URL(stub.url).host])
      expect(text).not.toContain(secret)
  }
})

describe('what reaches a provider', () => {
  it.each(CALLS)(
    'is of our making: no header of the caller but what its protocol takes: %s',
    async (_name, path, body) => {
      stub.answer = json({ error: { message: 'no' } }, 400)
      await caller.send(path, body, {
        headers: {
          'x-api-key': 'theirs-x-api-key',
          'x-goog-api-key': 'theirs-goog',
          'api-key': 'theirs-api-key',
          cookie: 'session=theirs-cookie',
          'proxy-authorization': 'Basic theirs',
          'x-forwarded-for': '6.6.6.6',
          'x-forwarded-host': 'theirs.example',
          'x-real-ip': '6.6.6.6',
          forwarded: 'for=6.6.6.6',
          referer: 'https://theirs.example/',
          origin: 'https://theirs.example',
          'user-agent': 'theirs-agent',
          'openai-organization': 'org-theirs',
          'openai-project': 'proj-theirs',
          'x-stainless-custom': 'theirs',
          'x-http-method-override': 'DELETE',
          'anthropic-dangerous-direct-browser-access': 'theirs',
        },
      })
      expect(stub.seen).not.toEqual([])
      for (const { headers } of stub.seen) {
        const text = JSON.stringify(headers)
        expect(text).not.toMatch(/theirs|6\.6\.6\.6|DELETE/)
        expect(text).not.toContain(caller.key)
        expect(headers.host).toBe(new URL(stub.url).host)
        expect(headers.cookie).toBeUndefined()
      }
    },
  )

  it('goes where the operator said, whatever address the body names, at any depth', async () => {
    stub.answer = json({ error: { message: 'no' } }, 400)
    for (const [, path, body] of CALLS) {
      for (const name of [
        'api_base',
        'base_url',
        'api_key',
        'litellm_params',
        'custom_llm_provider',
        'extra_body',
        'extra_headers',
        'extra_query',
      ]) {
        stub.seen.length = 0
        const { status } = await caller.send(path, {
          ...body,
          [name]: name.startsWith('extra') ? { api_base: inside.url } : inside.url,
        })
        expect([path, name, status, stub.seen.length]).toEqual([path, name, 400, 0])
      }
      await caller.send(path, {
        ...body,
        metadata: { api_base: inside.url, base_url: inside.url, litellm_params: inside.url },
      })
    }
    expect(inside.seen).toEqual([])
  })
})

describe('an answer that is a bomb', () => {
  const small = gzipSync(Buffer.alloc(256 * 2 ** 20, ' '))

  it.each(CALLS)(
    'packed to a thousandth is no answer, costs nothing and fills no memory: %s',
    async (_name, path, body) => {
      stub.answer = (response) =>
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(small)
      const before = process.memoryUsage().rss
      const { status, text } = await caller.send(path, body)
      expect([status, text]).toEqual([expect.toBeOneOf([200, 502]), expect.stringMatching(/provider_error/i)])
      expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20)
    },
  )

  it('of one line without an end, in a stream, is given up at its limit', async () => {
    stub.answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const piece = Buffer.alloc(2 ** 20, 'x')
      const write = () => {
        while (!response.destroyed && response.write(piece));
      }
      response.on('drain', write)
      response.write('data: {"choices":[{"index":0,"delta":{"content":"')
      write()
    }
    const { text } = await caller.send('/v1/chat/completions', {
      model: 'openai/gpt-5-mini',
      messages: said,
      stream: true,
    })
    expect(text).toContain('"error"')
    expect(stub.broken).toBeGreaterThan(0)
  })
})

describe('an address in a chat, for a provider that is handed files', () => {
  const ask = (model: string, url: string): [string, object][] => [
    [
      '/v1/chat/completions',
      { model, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] },
    ],
    ['/v1/responses', { model, input: [{ role: 'user', content: [{ type: 'input_image', image_url: url }] }] }],
    ['/v1/responses', { model, input: [{ role: 'user', content: [{ type: 'input_file', file_url: url }] }] }],
    [
      '/v1/messages',
      {
        model,
        max_tokens: 9,
        messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url } }] }],
      },
    ],
    [
      '/v1/messages',
      {
        model,
        max_tokens: 9,
        messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'url', url } }] }],
      },
    ],
  ]

  it('is brought here under whatever name a server of the operator’s own would open it', async () => {
    const url = `${inside.url}/latest/meta-data`
    const ask = (part: object) =>
      caller.send('/v1/chat/completions', { model: 'ollama/llava', messages: [{ role: 'user', content: [part] }] })
    for (const address of [url, 'file:///etc/passwd', ' http://127.0.0.1/', 'HTTP://127.0.0.1/'])
      for (const part of [
        { type: 'image_url', image_url: { url: address } },
        { type: 'video_url', video_url: { url: address } },
        { type: 'audio_url', audio_url: { url: address } },
        { type: 'input_image', image_url: address },
        { type: 'document_url', document_url: address },
        { type: 'image', source: { deeper: [{ uri: address }] } },
      ]) {
        const { status, json } = await ask(part)
        expect([part, status, json.error.code]).toEqual([part, 400, 'unsafe_url'])
      }
    const part = { type: 'image_url', image_url: { url } }
    const vectors = { model: 'ollama/llava', input: 'x', messages: [{ role: 'user', content: [part] }] }
    expect((await caller.send('/v1/embeddings', vectors)).json.error.param).toBe('messages')
    expect([inside.connections, inside.seen, stub.seen]).toEqual([0, [], []])
  })

  it('that leads inside is the caller’s 400 in every format: nobody is asked, nothing is charged', async () => {
    const { port } = new URL(inside.url)
    const hosts = [
      '127.0.0.1',
      'localhost',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
      '2130706433',
      '0x7f.1',
      '127.1',
      'localhost.',
    ]
    for (const url of [
      ...hosts.map((host) => `http://${host}:${port}/latest/meta-data`),
      'http://169.254.169.254/latest/meta-data',
      'https://user:pw@127.0.0.1/',
    ])
      for (const [path, body] of [...ask('google/gemini-2.5-flash', url), ...ask('ollama/llava', url)]) {
        const { status, text } = await caller.send(path, body)
        expect([url, path, body, status]).toEqual([url, path, body, 400])
        expect(text).not.toMatch(/ECONN|127\.0\.0\.1|169\.254/)
      }
    for (const url of [
      'file:///etc/passwd',
      'gopher://127.0.0.1:6379/_INFO',
      'ftp://example.com/a.png',
      'javascript:alert(1)',
      '/etc/passwd',
      '',
    ])
      for (const [path, body] of [...ask('google/gemini-2.5-flash', url), ...ask('ollama/llava', url)]) {
        const { status } = await caller.send(path, body)
        expect([url, path, body, status]).toEqual([url, path, body, 400])
      }
    expect([inside.connections, inside.seen, stub.seen]).toEqual([0, [], []])
  })
})

const submitting = ({ method }: Seen) => method === 'POST'
describe('headers of our own making', () => {
  it('carry our job as the provider’s idempotency key, and no text of a caller', async () => {
    stub.answer = json({ error: { message: 'no' } }, 400)
    const body = {
      model: 'openai/gpt-5-mini',
      messages: said,
      user: 'a\r\nx-evil: 1',
      metadata: { 'a\r\nb': 'c\r\nx-evil: 1' },
    }
    await caller.send('/v1/chat/completions', body)
    const [seen] = stub.seen.filter(submitting)
    expect(seen?.headers['x-evil']).toBeUndefined()
    expect(seen?.headers['idempotency-key'] ?? 'job_').toMatch(/^job_/)
  })
})
