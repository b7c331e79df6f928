// The provider's HTTP client against a real server: what it sends, how it ends, what its failures are called.
import { createServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ErrorKind, WireAnswer } from '../../src/contract.ts'
import { makeProviderFetch, readBody } from '../../src/protocols/transport.ts'
import { json, Stub, sse, until } from '../providers/stub.ts'

let stub: Stub
let fetch: ReturnType<typeof makeProviderFetch>
beforeEach(async () => {
  stub = await new Stub().start()
  fetch = makeProviderFetch({ provider: 'Acme' })
})
afterEach(async () => {
  await stub.stop()
  await fetch.close()
})

const post = (more: Partial<Parameters<typeof fetch.send>[0]> = {}): Promise<WireAnswer> =>
  fetch.send({
    method: 'POST',
    url: `${stub.url}/v1/x?secret=hush`,
    headers: { authorization: 'Bearer sk-hush-hush-hush' },
    body: '{"a":1}',
    signal: new AbortController().signal,
    ...more,
  })

async function kindOf(work: Promise<unknown>): Promise<ErrorKind> {
  const error = await work.then(
    () => expect.unreachable('it did not fail'),
    (cause) => cause,
  )
  expect(`${error.message}`).not.toMatch(/hush|127\.0\.0\.1/)
  return error.kind
}

describe('send', () => {
  it('sends the body as given, asks for no compression and answers status, headers and bytes', async () => {
    stub.answer = json({ ok: true }, 201, { 'X-Request-Id': 'r1' })
    const answer = await post()
    expect([answer.status, answer.headers['x-request-id']]).toEqual([201, 'r1'])
    expect((await readBody(answer, 100)).toString()).toBe('{"ok":true}')
    expect(stub.seen[0]).toMatchObject({ method: 'POST', path: '/v1/x?secret=hush', body: Buffer.from('{"a":1}') })
    expect(stub.seen[0]?.headers).toMatchObject({ 'accept-encoding': 'identity', 'content-length': '7' })
  })

  it('uses one connection again for calls after each other', async () => {
    stub.answer = json({})
    for (let i = 0; i < 5; i++) await readBody(await post(), 100)
    // A connection counts as free a moment after its last byte, so that two take turns.
    expect(stub.connections).toBeLessThanOrEqual(2)
  })

  it('destroys the socket when the reader stops early', async () => {
    stub.answer = (response) => void response.writeHead(200).write('first')
    for await (const chunk of (await post()).body) {
      expect(Buffer.from(chunk).toString()).toBe('first')
      break
    }
    await until(() => stub.broken === 1)
  })

  it('destroys the socket and throws canceled when the call is aborted in mid-answer', async () => {
    stub.answer = (response) => void response.writeHead(200).write('first')
    const abort = new AbortController()
    const answer = await post({ signal: abort.signal })
    const reading = readBody(answer, 100)
    abort.abort()
    expect(await kindOf(reading)).toBe('canceled')
    await until(() => stub.broken === 1)
  })

  it('throws canceled for an abort before the headers, and before the call', async () => {
    stub.answer = () => {}
    const abort = new AbortController()
    const sent = post({ signal: abort.signal })
    await until(() => stub.seen.length === 1)
    abort.abort()
    expect(await kindOf(sent)).toBe('canceled')
    await until(() => stub.broken === 1)
    expect(await kindOf(post({ signal: abort.signal }))).toBe('canceled')
  })

  it('takes the reason of an abort for a timeout where it is one', async () => {
    stub.answer = () => {}
    expect(await kindOf(post({ signal: AbortSignal.timeout(20) }))).toBe('timeout')
  })

  it('throws timeout where no headers come, and where the body stalls', async () => {
    stub.answer = () => {}
    expect(await kindOf(post({ headers_timeout_ms: 30 }))).toBe('timeout')
    stub.answer = (response) => void response.writeHead(200).write('first')
    expect(await kindOf(post({ idle_timeout_ms: 30 }).then((answer) => readBody(answer, 100)))).toBe('timeout')
  })

  it('throws unavailable where nobody listens and where the answer is cut', async () => {
    expect(await kindOf(post({ url: 'http://127.0.0.1:1/hush' }))).toBe('unavailable')
    stub.answer = (response) => {
      response.writeHead(200, { 'content-length': '100' }).write('first')
      setImmediate(() => response.destroy())
    }
    expect(await kindOf(post().then((answer) => readBody(answer, 100)))).toBe('unavailable')
  })

  it('throws bad_response where the other side does not speak HTTP', async () => {
    const server = createServer((socket) => void socket.once('data', () => socket.end('SSH-2.0-hush\r\n\r\n')))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    expect(await kindOf(post({ url: `http://127.0.0.1:${port}/` }))).toBe('bad_response')
    server.close()
  })

  it('stops the sender while nobody reads', async () => {
    let written_bytes = 0
    stub.answer = (response) => {
      response.writeHead(200)
      const write = () => {
        while (written_bytes < 50_000_000 && response.write(Buffer.alloc(65_536))) written_bytes += 65_536
      }
      response.on('drain', write)
      write()
    }
    const answer = await post()
    let last = -1
    while (last !== written_bytes) {
      last = written_bytes
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(written_bytes).toBeLessThan(30_000_000)
    for await (const _ of answer.body) break
  })
})

describe('called like fetch', () => {
  it('sends a multipart form made with the classes of Node', async () => {
    stub.answer = json({ ok: true })
    const form = new FormData()
    form.append('model', 'm')
    form.append('file', new File([new Uint8Array([1, 2, 3])], 'a.wav', { type: 'audio/wav' }))
    const response = await fetch(`${stub.url}/upload`, { method: 'POST', body: form })
    expect(await response.json()).toEqual({ ok: true })
    expect(stub.seen[0]?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
    expect(stub.seen[0]?.body.toString('latin1')).toContain(
      'filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n\x01\x02\x03',
    )
  })

  it('takes a Request and streams the answer', async () => {
    stub.answer = sse('data: 1\n\ndata: 2\n\n', 4)
    const response = await fetch(
      new Request(`${stub.url}/s`, { method: 'POST', body: 'hello', headers: { 'x-a': 'b' } }),
    )
    expect(await response.text()).toBe('data: 1\n\ndata: 2\n\n')
    expect(stub.seen[0]).toMatchObject({ method: 'POST', body: Buffer.from('hello') })
    expect(stub.seen[0]?.headers['x-a']).toBe('b')
  })

  it('asks for no compression, and breaks off an answer that unpacks to more than any answer has', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20))
    stub.answer = (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)
    const before = process.memoryUsage().rss
    const response = await fetch(`${stub.url}/bomb`)
    expect(await kindOf(response.json())).toBe('bad_response')
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20)
    expect(stub.seen[0]?.headers['accept-encoding']).toBe('identity')
  })
})
