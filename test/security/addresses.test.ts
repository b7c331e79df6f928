// Addresses that providers and callers name, when they lead inside or come to do so: results of pictures, redirects, and
// webhooks whose name is public when it is given and private when something is sent.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32, deflateSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Caller, eventually, Site } from '../flow/site.ts'
import type { Told } from '../painters/painter.ts'
import { paintersAt, plate, tell } from '../painters/site.ts'
import { Stub } from '../providers/stub.ts'

/** What the name servers say, by name. */
const names = vi.hoisted(() => new Map<string, string[]>())
vi.mock('node:dns/promises', async (original) => {
  const real = await original<typeof import('node:dns/promises')>()
  const lookup = async (name: string, options: object) =>
    names.has(name)
      ? (names.get(name) ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
      : real.lookup(name, options as { all: true })
  return { ...real, lookup, default: { ...real, lookup } }
})

let site: Site
let caller: Caller
let painter: Stub
/** A service inside the operator's network: it must never be asked. */
let inside: Server
let connections = 0
beforeAll(async () => {
  inside = createServer((_request, response) => response.end('a secret of the network'))
  inside.on('connection', () => connections++)
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
  painter = await new Stub().start()
  site = await Site.open({ environment: paintersAt(painter) })
  caller = await site.caller('5.00')
})
afterAll(async () => {
  await site.close()
  await painter.stop()
  inside.closeAllConnections()
  await new Promise((resolve) => inside.close(resolve))
})
beforeEach(() => {
  connections = 0
  names.clear()
})
afterEach(async () => {
  expect(connections).toBe(0)
  expect(await caller.credits()).toMatchObject({ available_usd: '5.000000000', held_usd: '0.000000000' })
})

const port = () => (inside.address() as AddressInfo).port
const asked = { model: 'pairs/plain', prompt: 'a heron' }

describe('a result that a provider names', () => {
  const addresses = (): [string, string][] => [
    ['the metadata of the cloud', 'http://169.254.169.254/latest/meta-data/iam'],
    ['a port beside the provider’s own', `http://127.0.0.1:${port()}/`],
    ['a name of the machine', `http://localhost:${port()}/`],
    ['a number', `http://2130706433:${port()}/`],
    ['IPv6', `http://[::1]:${port()}/`],
    ['IPv4 in IPv6', `http://[::ffff:127.0.0.1]:${port()}/`],
    ['a user name', `http://${new URL(painter.url).host}@127.0.0.1:${port()}/`],
    ['a file', 'file:///etc/passwd'],
    ['another protocol', 'gopher://127.0.0.1:6379/_INFO'],
    ['a redirect to inside', `${painter.url}/moved`],
    ['a redirect to a file', `${painter.url}/moved-to-file`],
  ]

  it('and that leads inside is not fetched: the job fails, is free, and says nothing of where', async () => {
    for (const [what, url] of addresses())
      for (const wait of [true, false]) {
        paint({ status: 'done', images: [{ url }] })
        const answer = await caller.send(
          '/v1/images/generations',
          asked,
          wait ? {} : { headers: { prefer: 'respond-async' } },
        )
        expect([what, answer.status]).toEqual([what, wait ? 502 : 202])
        const job = await caller.jobWhen(answer.job_id)
        expect([what, job.status, job.billing.status, job.outputs]).toEqual([what, 'failed', 'released', []])
        expect(answer.text + JSON.stringify(job)).not.toMatch(
          /169\.254|127\.0\.0\.1|localhost|etc\/passwd|gopher|secret/,
        )
      }
  }, 40_000)

  it('by a name that changes between the look and the connection is not reached', async () => {
    names.set('cdn.example', ['127.0.0.1'])
    paint({ status: 'done', images: [{ url: `http://cdn.example:${port()}/` }] })
    expect((await caller.send('/v1/images/generations', asked)).status).toBe(502)
  })

  it('or sends, and that unpacks to more than a picture has, is refused by its head', async () => {
    const bomb = hugePicture().toString('base64')
    const before = process.memoryUsage().rss
    paint({ status: 'done', images: [{ b64: bomb }] })
    for (const body of [asked, { ...asked, output_format: 'webp' }, { ...asked, response_format: 'url' }])
      expect((await caller.send('/v1/images/generations', body)).status).toBe(502)
    expect(process.memoryUsage().rss - before).toBeLessThan(128 * 2 ** 20)
  })

  it('or sends, and that is a page or a program, is no picture', async () => {
    for (const text of [
      '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
      '<html><script>alert(1)</script>',
      '\x7fELF\x02\x01\x01',
    ]) {
      paint({ status: 'done', images: [{ b64: Buffer.from(text).toString('base64') }] })
      expect([text, (await caller.send('/v1/images/generations', asked)).status]).toEqual([text, 502])
    }
  })

  function paint(told: Told) {
    tell(painter, () => told)
    const { answer } = painter
    painter.answer = (response, seen) => {
      const location = { '/moved': `http://127.0.0.1:${port()}/`, '/moved-to-file': 'file:///etc/passwd' }[seen.path]
      if (location) return response.writeHead(302, { location }).end()
      return answer(response, seen)
    }
  }
})

describe('pictures that a caller names', () => {
  it('inside are the caller’s 400, by every field that takes one, and no provider is asked', async () => {
    painter.seen.length = 0
    const url = `http://127.0.0.1:${port()}/a.png`
    const good = { image_url: `data:image/png;base64,${await plate(64, 64)}` }
    for (const [path, body] of [
      ['/v1/images/edits', { ...asked, images: [{ image_url: url }] }],
      ['/v1/images/edits', { ...asked, images: [good, { image_url: url }] }],
      ['/v1/images/edits', { ...asked, images: [good], mask: { image_url: url } }],
      ['/v1/images/threads', { ...asked, images: [{ image_url: url }] }],
      ['/v1/videos', { model: 'sandbox/video', prompt: 'x', input_reference: { image_url: url } }],
      ['/v1/videos', { model: 'sandbox/video', prompt: 'x', references: [{ image_url: url }] }],
      ['/v1/videos', { model: 'sandbox/video', prompt: 'x', last_frame: { image_url: url } }],
    ] as const) {
      const { status, text } = await caller.send(path, body)
      expect([path, body, status]).toEqual([path, body, 400])
      expect(text).not.toContain('127.0.0.1')
    }
    expect(painter.seen).toEqual([])
  })
})

describe('a webhook', () => {
  const chat = { model: 'sandbox/chat', max_tokens: 1, messages: [{ role: 'user', content: 'hi' }] }
  const inner = () => [
    'http://10.0.0.1/hook',
    'https://10.0.0.1/hook',
    'https://127.0.0.1/hook',
    'https://127.0.0.1:6379/hook',
    `https://127.0.0.1:${port()}/hook`,
    'https://example.com:6379/hook',
    'https://example.com:22/hook',
    'https://169.254.169.254/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://2130706433/',
    'https://0/',
    'https://localhost/',
    'https://user:pw@example.com/',
    'https://example.com\\@127.0.0.1/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    '',
  ]

  it('to an address inside is refused when it is given, in every way to give one', async () => {
    names.set('inside.example', ['10.1.2.3'])
    const { id } = await made('https://hook.example/')
    for (const url of [...inner(), 'https://inside.example/']) {
      for (const [path, body, method] of [
        ['/v1/webhooks', { url }, 'POST'],
        [`/v1/webhooks/${id}`, { url }, 'PATCH'],
        ['/v1/chat/completions', { ...chat, webhook_url: url }, 'POST'],
        ['/v1/images/generations', { ...asked, webhook_url: url }, 'POST'],
        ['/v1/videos', { model: 'sandbox/video', prompt: 'x', webhook_url: url }, 'POST'],
      ] as const) {
        const { status, text } = await caller.send(path, body, { method })
        expect([path, url, status]).toEqual([path, url, 400])
        expect(text).not.toMatch(/10\.1\.2\.3|ECONN|ENOTFOUND/)
      }
    }
    await caller.send(`/v1/webhooks/${id}`, undefined, { method: 'DELETE' })
  })

  it('whose name is public when it is given and leads inside when something is sent, is not sent', async () => {
    const owner = await site.caller('1.00')
    const { id } = await made(`https://rebound.example:8443/hook`, owner)
    names.set('rebound.example', ['127.0.0.1'])
    const tls = createServer()
    const reached = vi.fn()
    tls.on('connection', reached)
    // Should the sender come here all the same, it finds somebody.
    const listening = await new Promise<boolean>((resolve) => {
      tls.once('error', () => resolve(false)).listen(8443, '127.0.0.1', () => resolve(true))
    })
    try {
      await owner.json('/v1/chat/completions', chat)
      const deliveries = () =>
        owner.json<{ data: { attempts: { error: string | null; status: number | null }[] }[] }>(
          '/v1/webhooks/deliveries',
        )
      const { data } = await eventually(deliveries, ({ data: [first] }) => (first?.attempts.length ?? 0) > 0)
      expect(data[0]?.attempts[0]).toMatchObject({ status: null, error: 'The URL does not lead to a public address.' })
      expect(reached).not.toHaveBeenCalled()
    } finally {
      if (listening) await new Promise((resolve) => tls.close(resolve))
      await owner.send(`/v1/webhooks/${id}`, undefined, { method: 'DELETE' })
    }
  })

  async function made(url: string, owner: Caller = caller): Promise<{ id: string }> {
    names.set(new URL(url).hostname, ['93.184.216.34'])
    return owner.json<{ id: string }>('/v1/webhooks', { url })
  }
})

/** A PNG that says it has 60,000 by 60,000 pixels, in some hundred bytes. */
function hugePicture(): Buffer {
  const chunk = (name: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(name), data])
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(data.length)
    sum.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, sum])
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(60_000, 0)
  head.writeUInt32BE(60_000, 4)
  head.writeUInt8(8, 8)
  head.writeUInt8(2, 9)
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(Buffer.alloc(4096))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}
