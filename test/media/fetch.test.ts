// Downloads from a real server: types, limits on size and time, compression, aborts, data: URLs.
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { collect, type FetchOptions, guardedFetch } from '../../src/media/fetch.ts'
import { type Answer, Stub, until } from '../providers/stub.ts'

let stub: Stub
beforeEach(async () => {
  stub = await new Stub().start()
})
afterEach(() => stub.stop())

const options = (more: Partial<FetchOptions> = {}): FetchOptions => ({
  max_bytes: 1000,
  timeout_ms: 5000,
  allowed_hosts: [new URL(stub.url).host],
  ...more,
})

async function load(answer: Answer, more: Partial<FetchOptions> = {}) {
  stub.answer = answer
  const { media_type, data } = await guardedFetch(`${stub.url}/a.png?x=1`, options(more))
  return { media_type, text: (await collect(data)).toString() }
}

const sending = (body: string | Buffer, headers: Record<string, string> = {}): Answer => {
  return (response) => response.writeHead(200, headers).end(body)
}

describe('a download', () => {
  it('answers type and bytes, and sends nothing that names the caller', async () => {
    const loaded = await load(sending('abc', { 'content-type': 'Image/PNG; charset=x' }), { accept: 'image/*' })
    expect(loaded).toEqual({ media_type: 'image/png', text: 'abc' })
    expect(stub.seen[0]?.path).toBe('/a.png?x=1')
    const { host: _host, ...headers } = stub.seen[0]?.headers ?? {}
    expect(headers).toEqual({
      accept: 'image/*',
      'accept-encoding': 'identity',
      'user-agent': 'Switchyard',
      connection: 'keep-alive',
    })
  })

  it('frees its connection after the last byte, after a refusal, and when the reader leaves early', async () => {
    await load(sending('abc'))
    await expect(load(sending('x'.repeat(2000)))).rejects.toThrow('larger than 1000')
    stub.answer = (response) => response.write('abc')
    const { data } = await guardedFetch(stub.url, options())
    for await (const _chunk of data) break
    await until(() => stub.connections === 0)
  })

  it('is refused by its announced size before a byte of it is read', async () => {
    await expect(load(sending('x'.repeat(1001)))).rejects.toMatchObject({ code: 'file_too_large' })
  })

  it('is cut where it outgrows the limit without saying its size', async () => {
    const endless: Answer = (response) => {
      const timer = setInterval(() => response.write('x'.repeat(400)), 1)
      response.on('close', () => clearInterval(timer))
    }
    await expect(load(endless)).rejects.toMatchObject({ code: 'file_too_large' })
    await until(() => stub.connections === 0)
  })

  it('is unpacked, and limited by what it unpacks to', async () => {
    const gzip = { 'content-encoding': 'gzip' }
    expect((await load(sending(gzipSync('abc'), gzip))).text).toBe('abc')
    const bomb = gzipSync(Buffer.alloc(200_000))
    expect(bomb.length).toBeLessThan(1000)
    await expect(load(sending(bomb, gzip))).rejects.toMatchObject({ code: 'file_too_large' })
    await expect(load(sending('not gzip', gzip))).rejects.toMatchObject({ reason: 'encoding' })
    await expect(load(sending('x', { 'content-encoding': 'secret' }))).rejects.toMatchObject({ reason: 'encoding' })
  })

  it('says which status it met', async () => {
    await expect(load((response) => response.writeHead(404).end())).rejects.toThrow('answered with status 404')
  })

  it('ends when its time is over, before the headers and in the middle', async () => {
    await expect(load(() => undefined, { timeout_ms: 50 })).rejects.toMatchObject({ reason: 'timeout' })
    const halting: Answer = (response) => response.writeHead(200).write('abc')
    await expect(load(halting, { timeout_ms: 50 })).rejects.toMatchObject({ reason: 'timeout' })
    await until(() => stub.connections === 0)
  })

  it('fails with the reason of the signal that stopped it', async () => {
    const controller = new AbortController()
    const stopped = load(() => controller.abort(new Error('the router stops')), { signal: controller.signal })
    await expect(stopped).rejects.toThrow('the router stops')
    await expect(load(sending('x'), { signal: controller.signal })).rejects.toThrow('the router stops')
  })

  it('tells a broken connection without saying whose', async () => {
    const broken = load((response) =>
      response.writeHead(200, { 'content-length': '100' }).write('abc', () => response.destroy()),
    )
    await expect(broken).rejects.toMatchObject({ reason: 'network', message: expect.not.stringContaining('127') })
  })
})

describe('a data: URL', () => {
  const read = async (url: string, max_bytes = 1000) => {
    const { media_type, data } = await guardedFetch(url, { max_bytes, timeout_ms: 1000 })
    return [media_type, (await collect(data)).toString('latin1')]
  }

  it('is decoded here', async () => {
    expect(await read('data:image/PNG;base64,AP8=')).toEqual(['image/png', '\0\xff'])
    expect(await read('DATA:;charset=utf-8;base64,YWJj')).toEqual(['text/plain', 'abc'])
    expect(await read('data:text/x,a%20%FF,b')).toEqual(['text/x', 'a \xff,b'])
    expect(await read('data:image/png;base64,YW\nJj')).toEqual(['image/png', 'abc'])
    expect(await read('data:image/png;base64,Pz8%2FPw')).toEqual(['image/png', '????'])
    expect(await read('data:,')).toEqual(['text/plain', ''])
  })

  it('is limited', async () => {
    expect((await read(`data:;base64,${'A'.repeat(1332)}`, 999))[1]).toHaveLength(999)
    await expect(read(`data:;base64,${'A'.repeat(1336)}`, 999)).rejects.toMatchObject({ code: 'file_too_large' })
    await expect(read(`data:,${'a'.repeat(1001)}`)).rejects.toMatchObject({ code: 'file_too_large' })
  })

  it('is refused where it is no base64', async () => {
    await expect(read('data:image/png;base64,****')).rejects.toMatchObject({ code: 'unreadable_file' })
    await expect(read('data:image/png')).rejects.toMatchObject({ code: 'unreadable_file' })
  })
})
