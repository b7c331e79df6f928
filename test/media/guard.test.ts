// The guard against addresses that lead inside: as text, as numbers, through names, redirects and changing answers.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { collect, type FetchOptions, guardedFetch } from '../../src/media/fetch.ts'
import { isPublicAddress, UnsafeUrl } from '../../src/media/guard.ts'
import { MediaError } from '../../src/media/media_error.ts'
import { Stub } from '../providers/stub.ts'

let stub: Stub
beforeEach(async () => {
  stub = await new Stub().start()
})
afterEach(() => stub.stop())

const get = (url: string, options: Partial<FetchOptions> = {}) =>
  guardedFetch(url, { max_bytes: 1000, timeout_ms: 5000, ...options })

async function refusalOf(work: Promise<unknown>): Promise<MediaError> {
  const error = await work.then(
    () => expect.unreachable('it was allowed'),
    (cause) => cause,
  )
  expect(error).toBeInstanceOf(MediaError)
  expect(error.message).not.toMatch(/\d+\.\d+\.\d+\.\d+|::1|localhost|ECONN|ENOTFOUND/)
  return error
}

describe('addresses that are not public', () => {
  const port = () => new URL(stub.url).port

  it.each([
    '169.254.169.254',
    '0.0.0.0',
    '127.0.0.1',
    '10.0.0.1',
    '192.168.1.1',
    '172.16.0.1',
    '100.64.0.1',
    '168.63.129.16',
    '[::]',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[fd00:ec2::254]',
    '[fe80::1]',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    'localhost',
    'localhost.',
    'LOCALHOST',
  ])('refuses %s and opens no socket', async (host) => {
    expect(await refusalOf(get(`http://${host}:${port()}/latest/meta-data`))).toBeInstanceOf(UnsafeUrl)
    expect(stub.seen).toEqual([])
    expect(stub.connections).toBe(0)
  })

  it('knows private networks from public addresses', () => {
    const byte = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(fc.constantFrom('10.', '127.', '0.', '224.', '255.'), byte, byte, byte, (head, a, b, c) => {
        expect(isPublicAddress(`${head}${a}.${b}.${c}`)).toBe(false)
        expect(isPublicAddress(`::ffff:${head}${a}.${b}.${c}`)).toBe(false)
      }),
    )
    expect(['8.8.8.8', '1.1.1.1', '2606:4700::1111'].every(isPublicAddress)).toBe(true)
    expect(['example.com', '', 'fec0::1', '5f00::1', '2001:db8::1'].some(isPublicAddress)).toBe(false)
  })

  it('says the same of a name that leads inside and of one that does not exist', async () => {
    const inside = await refusalOf(
      get('http://db.corp/', { resolve: async () => [{ address: '10.1.2.3', family: 4 }] }),
    )
    const nowhere = await refusalOf(get('http://db.corp/', { resolve: async () => [] }))
    expect(inside.message).toBe(nowhere.message)
    expect(inside.code).toBe(nowhere.code)
  })
})

describe('addresses that are no addresses', () => {
  it.each([
    'file:///etc/passwd',
    'gopher://127.0.0.1:6379/_INFO',
    'ftp://example.com/a.png',
    'javascript:alert(1)',
    'blob:https://example.com/1',
    '//example.com/a.png',
    'example.com/a.png',
    '',
    'https://user:pw@example.com/',
    'https://@example.com/',
    'https://example.com@127.0.0.1/',
    'http:\\\\127.0.0.1\\a',
    'https://example.com\\@127.0.0.1/',
    'http://exa\tmple.com/',
    ' http://example.com/',
    'http://example.com/\r\nHost: x',
    `http://example.com/${'a'.repeat(20_000)}`,
  ])('refuses %j', async (url) => {
    expect(await refusalOf(get(url))).toBeInstanceOf(UnsafeUrl)
  })
})

describe('redirects', () => {
  const trusted = () => ({ allowed_hosts: [new URL(stub.url).host] })

  it('are checked again: the second hop is not requested', async () => {
    const inside = await new Stub().start()
    stub.answer = (response) => response.writeHead(302, { location: `${inside.url}/secret` }).end()
    expect(await refusalOf(get(stub.url, trusted()))).toBeInstanceOf(UnsafeUrl)
    expect(inside.seen).toEqual([])
    expect(inside.connections).toBe(0)
    await inside.stop()
  })

  it('may not leave http', async () => {
    stub.answer = (response) => response.writeHead(301, { location: 'file:///etc/passwd' }).end()
    expect(await refusalOf(get(stub.url, trusted()))).toBeInstanceOf(UnsafeUrl)
    stub.answer = (response) => response.writeHead(301, { location: 'data:text/plain,x' }).end()
    expect(await refusalOf(get(stub.url, trusted()))).toBeInstanceOf(UnsafeUrl)
  })

  it('are followed three times and no more', async () => {
    stub.answer = (response, { path }) => {
      const left = Number(path.slice(1))
      if (left === 0) response.end('here')
      else response.writeHead(307, { location: `/${left - 1}` }).end()
    }
    expect((await collect((await get(`${stub.url}/3`, trusted())).data)).toString()).toBe('here')
    expect(await refusalOf(get(`${stub.url}/4`, trusted()))).toMatchObject({ reason: 'redirects' })
  })
})

describe('names', () => {
  /** Two servers on one port of two addresses, to see which one a name led to. */
  async function twins(): Promise<{ port: number; seen: string[]; servers: Server[] }> {
    const seen: string[] = []
    const serve = (address: string) =>
      createServer((_request, response) => {
        seen.push(address)
        response.end(address)
      })
    const [first, second] = [serve('127.0.0.1'), serve('127.0.0.2')]
    await new Promise<void>((resolve) => first.listen(0, '127.0.0.1', resolve))
    const { port } = first.address() as AddressInfo
    await new Promise<void>((resolve) => second.listen(port, '127.0.0.2', resolve))
    return { port, seen, servers: [first, second] }
  }

  it('are resolved once, and the connection goes to that answer', async () => {
    const { port, seen, servers } = await twins()
    const answers = ['127.0.0.1', '127.0.0.2']
    let asked = 0
    const resolve = async () => [{ address: answers[asked++] ?? '127.0.0.2', family: 4 }]
    const options = { resolve, allowed_hosts: [`provider.test:${port}`] }
    expect((await collect((await get(`http://provider.test:${port}/`, options)).data)).toString()).toBe('127.0.0.1')
    expect([asked, seen]).toEqual([1, ['127.0.0.1']])
    for (const server of servers) server.close()
  })

  it('that become private for the next request are refused there', async () => {
    const { port, seen, servers } = await twins()
    const allowed_hosts = [`provider.test:${port}`]
    const resolve = async () => [{ address: '127.0.0.1', family: 4 }]
    await collect((await get(`http://provider.test:${port}/`, { resolve, allowed_hosts })).data)
    expect(await refusalOf(get(`http://provider.test:${port}/`, { resolve }))).toBeInstanceOf(UnsafeUrl)
    expect(seen).toEqual(['127.0.0.1'])
    for (const server of servers) server.close()
  })

  it("may be the operator's own only with the very port", async () => {
    stub.answer = (response) => response.end('x')
    const { hostname, host } = new URL(stub.url)
    expect(await refusalOf(get(stub.url, { allowed_hosts: [hostname, `${hostname}:1`] }))).toBeInstanceOf(UnsafeUrl)
    expect((await collect((await get(stub.url, { allowed_hosts: [host] })).data)).toString()).toBe('x')
  })
})
