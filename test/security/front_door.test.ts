// What comes before any work: heads of requests that two servers could read in two ways, paths that mean to get around a
// guard, keys that are none, and what is told to who has none. On a whole router, mostly over a bare socket.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newKeyText } from '../../src/flow/account/key_text.ts'
import { CATALOG } from '../../src/routes/catalog.ts'
import { type Caller, Site } from '../flow/site.ts'
import { exchange } from '../http/serve.ts'

let site: Site
let caller: Caller
beforeAll(async () => {
  site = await Site.open({ environment: { TRUST_PROXY: 'on', PUBLIC_URL: 'https://router.example' } })
  caller = await site.caller('1.00')
})
afterAll(() => site.close())

const BODY = JSON.stringify({ model: 'sandbox/chat', messages: [{ role: 'user', content: 'hi' }] })
const LENGTH = String(BODY.length)
const CHUNKED = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`

/** A whole request as text; the status of its answer, and all that came. */
async function send(text: string): Promise<{ status: number; text: string }> {
  const answer = await exchange(site.url, (write) => write(text))
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0), text: answer }
}

/** As it stands, for `fetch` would tidy it up. */
const get = (path: string, headers: Record<string, string> = {}) => {
  const lines = Object.entries({ host: 'localhost', connection: 'close', ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  return send(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
}
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

describe('a body whose length is said twice', () => {
  const post = (framing: string, body = BODY) =>
    send(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${caller.key}\r\n${framing}\r\n\r\n${body}` +
        'GET /v1/key HTTP/1.1\r\nhost: localhost\r\n\r\n',
    )

  it.each([
    ['two lengths', `content-length: ${LENGTH}\r\ncontent-length: ${BODY.length + 5}`, BODY],
    ['the same length twice', `content-length: ${LENGTH}\r\ncontent-length: ${LENGTH}`, BODY],
    ['a length and chunks', `content-length: ${LENGTH}\r\ntransfer-encoding: chunked`, CHUNKED],
    ['chunks and a length', `transfer-encoding: chunked\r\ncontent-length: 6`, CHUNKED],
    ['an unknown coding', 'transfer-encoding: xchunked', CHUNKED],
    ['a coding beside chunks', 'transfer-encoding: identity, chunked', CHUNKED],
    ['a coding packed in chunks', 'transfer-encoding: gzip, chunked', CHUNKED],
    ['two codings', 'transfer-encoding: identity\r\ntransfer-encoding: chunked', CHUNKED],
    ['a negative length', 'content-length: -1', BODY],
    ['a length with a sign', `content-length: +${LENGTH}`, BODY],
    ['a blank before the colon', `content-length : ${LENGTH}`, BODY],
    ['a folded header', `x-a: b\r\n content-length: ${LENGTH}`, BODY],
  ])('as %s is refused, and what follows is no second request', async (_what, framing, body) => {
    const { status, text } = await post(framing, body)
    expect(status).toBe(400)
    expect(text.match(/^HTTP\/1\.1 /gm)).toHaveLength(1)
    expect((await caller.credits()).settled_usd).toBe('0.000000000')
  })

  it('as bare line feeds is refused', async () => {
    expect((await send(`GET /v1/key HTTP/1.1\nhost: localhost\nauthorization: Bearer ${caller.key}\n\n`)).status).toBe(
      400,
    )
  })
})

describe('the Host header', () => {
  it.each(['evil/../admin?', 'a@b', 'a b', 'localhost#@evil', ''])('as "%s" is refused', async (host) => {
    expect((await get('/v1/key', { host, ...bearer(caller.key) })).status).toBe(400)
  })

  it('twice is refused', async () => {
    expect(
      (await send(`GET /v1/key HTTP/1.1\r\nhost: a\r\nhost: b\r\nauthorization: Bearer ${caller.key}\r\n\r\n`)).status,
    ).toBe(400)
  })

  it('decides nothing: a strange one, an absolute target and forwarded ones meet the same guards', async () => {
    for (const headers of [
      { host: 'evil.example' },
      { 'x-forwarded-host': 'evil.example', 'x-original-url': '/healthz', 'x-rewrite-url': '/healthz' },
    ]) {
      expect((await get('/api/v1/users', headers)).status).toBe(401)
      expect((await get('/api/v1/users', { ...headers, ...bearer(caller.key) })).status).toBe(403)
    }
    expect((await get('http://evil.example/api/v1/users', bearer(caller.key))).status).toBe(403)
  })

  it('is in no answer where the router knows its own address', async () => {
    const body = JSON.stringify({ model: 'sandbox/image', prompt: 'x', size: '64x64', response_format: 'url' })
    const head = `POST /v1/images/generations HTTP/1.1\r\nhost: evil.example\r\nx-forwarded-host: evil.example\r\nauthorization: Bearer ${caller.key}\r\n`
    const { status, text } = await send(
      `${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    expect(status).toBe(200)
    expect(text).toContain('https://router.example/v1/jobs/')
    expect(text).not.toContain('evil.example')
  })

  it('and forwarded ones of fifteen thousand blanks cost nothing', async () => {
    const blanks = `a${' '.repeat(15_000)}b`
    const before = process.cpuUsage()
    for (const name of ['x-forwarded-host', 'x-forwarded-for', 'x-forwarded-proto', 'authorization', 'accept', 'range'])
      await get('/v1/key', { ...bearer(caller.key), [name]: blanks })
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000 / 6).toBeLessThan(50)
  })
})

describe('paths that mean to get around a guard', () => {
  const INSIDE = [
    '/static;/../api/v1/users',
    '/v1/../api/v1/users',
    '/%2e%2e/api/v1/users',
    '/api/v1/%2e%2e/v1/users',
    '/api%2fv1%2fusers',
    '/api/v1;x=1/users',
    '//api/v1/users',
    '/api//v1/users',
    '/./api/v1/users',
    '/API/V1/USERS',
    '/api/v1/users/',
    '/api/v1/users%00',
    '/api/v1/users%20',
    '/api/v1/users?x=/healthz',
    '/api/v1/users#/healthz',
    '/healthz/../api/v1/users',
    '/healthz%2f..%2fapi/v1/users',
    '/hooks/../api/v1/users',
    '/v1/jobs/x/outputs/0/../../../../api/v1/users?signature=x',
    '/metrics/',
    '/METRICS',
    '//metrics',
    '/metrics%2f',
  ]

  it.each(INSIDE)('%s lets nobody in who has no admin key', async (path) => {
    expect([400, 401, 404]).toContain((await get(path)).status)
    const { status, text } = await get(path, bearer(caller.key))
    expect([400, 403, 404]).toContain(status)
    expect(text).not.toMatch(/usr_|acc_|switchyard_/)
  })

  it.each(['/V1/key', '/v1//key', '/v1/%6bey', '/v1/key/', '/v1/./key', '/V1/CREDITS'])(
    '%s shows nothing without a key',
    async (path) => {
      expect([401, 404]).toContain((await get(path)).status)
    },
  )
})

describe('whoever has no key', () => {
  it('gets none of the routes that ask for one, by no method, and is told nothing of what exists', async () => {
    const told = new Set<string>()
    for (const { method, path, key } of CATALOG) {
      if (key !== 'caller' && key !== 'admin') continue
      const url = site.url + path.replace(/[:*]\w+/g, 'x')
      const response = await fetch(url, { method, ...(method !== 'GET' && { body: '{}' }) })
      expect([method, path, response.status]).toEqual([method, path, 401])
      const { error } = (await response.json()) as { error: { message: string } }
      told.add(error.message)
    }
    expect(told.size).toBe(1)
  })

  it('sees of health only that the router lives', async () => {
    expect((await get('/healthz?verbose=1&debug=true')).text).toMatch(/\r\n\r\n{"status":"ok"}$/)
    expect((await get('/readyz?verbose=1')).text).toMatch(/\r\n\r\n{"status":"ready"}$/)
    for (const path of [
      '/debug',
      '/debug/pprof',
      '/health?verbose',
      '/status',
      '/env',
      '/.env',
      '/config',
      '/server-status',
      '/actuator/env',
    ])
      expect([path, (await get(path)).status]).toEqual([path, 404])
    expect((await get('/metrics')).status).toBe(401)
    expect((await get('/metrics', bearer(caller.key))).status).toBe(403)
    const { status, text } = await get('/metrics', bearer(site.admin_key))
    expect(status).toBe(200)
    expect(text).not.toMatch(/sk-sw-|acc_|usr_|job_/)
  })

  it('sees nothing of a page that could run something', async () => {
    const { text } = await get('/docs')
    expect(text).toMatch(/content-security-policy: default-src 'none'/i)
    expect(text).not.toMatch(/<script|\son\w+=/i)
  })

  it.each([
    ["' OR 1=1--"],
    ['{"$ne":null}'],
    ['[object Object]'],
    ['undefined'],
    ['null'],
    ['*'],
    ['sk-sw-'],
    [`sk-sw-${'0'.repeat(49)}`],
    ['x'.repeat(14_000)],
  ])('is a plain 401 with the key %.40s, in every header that takes one', async (key) => {
    const plain = (await get('/v1/key')).text.split('\r\n\r\n')[1]
    for (const header of ['authorization', 'x-api-key', 'x-goog-api-key'] as const) {
      const { status, text } = await get('/v1/key', { [header]: header === 'authorization' ? `Bearer ${key}` : key })
      expect([header, status, text.split('\r\n\r\n')[1]]).toEqual([header, 401, plain])
    }
  })

  it('is refused a head of a megabyte before anything looks at it', async () => {
    const head = `GET /v1/key HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${'a'.repeat(2 ** 20)}\r\n\r\n`
    const answer = await exchange(site.url, (write) => write(head)).catch((error: NodeJS.ErrnoException) => error.code)
    expect(answer).toMatch(/^HTTP\/1\.1 431 |^ECONNRESET$|^EPIPE$/)
  })

  it('is refused the same way with a well-formed key that nobody has', async () => {
    const { status, text } = await get('/v1/key', bearer(newKeyText()))
    expect([status, text.split('\r\n\r\n')[1]]).toEqual([401, (await get('/v1/key')).text.split('\r\n\r\n')[1]])
  })
})

describe('browsers', () => {
  it('of another origin are told of nothing that they may read, and a cookie is no key', async () => {
    for (const origin of ['https://evil.example', 'null']) {
      const cookie = `key=${caller.key}; session=${caller.key}; authorization=Bearer ${caller.key}`
      for (const path of ['/v1/key', '/api/v1/users', '/healthz', '/docs']) {
        const { status, text } = await get(path, { origin, cookie })
        expect([path, status]).toEqual([path, path.includes('v1') ? 401 : 200])
        expect(text).not.toMatch(/access-control-|set-cookie/i)
      }
      const { text } = await send(
        `OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\norigin: ${origin}\r\naccess-control-request-method: POST\r\n\r\n`,
      )
      expect(text).not.toMatch(/access-control-|set-cookie/i)
    }
  })

  it('are led nowhere: no answer is a redirect, whatever address is asked for', async () => {
    for (const path of [
      '/docs?next=javascript:alert(1)',
      '/v1/models?redirect=https://evil.example',
      '//evil.example/%2f..',
      '/docs/',
      '/',
    ])
      expect((await get(path, bearer(caller.key))).text).not.toMatch(/^location:|^HTTP\/1\.1 3/im)
  })
})

describe('headers that steer other gateways', () => {
  it.each([
    'x-portkey-custom-host',
    'x-custom-host',
    'x-base-url',
    'x-litellm-api-base',
    'x-provider-base-url',
    'x-forwarded-user',
    'x-user-id',
    'x-account-id',
    'x-admin',
  ])('%s is not looked at', async (name) => {
    const { status, text } = await get('/v1/key', { ...bearer(caller.key), [name]: '127.0.0.1' })
    expect([status, text.includes(caller.account_id)]).toEqual([200, true])
    expect((await get('/v1/key', { [name]: '127.0.0.1' })).status).toBe(401)
  })
})
