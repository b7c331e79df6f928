// Streams to callers who read well, slowly, or not at all.

import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { Failure } from '../../src/flow/failure.ts'
import { clientSignal } from '../../src/http/abort.ts'
import type { Context } from '../../src/http/context.ts'
import { type StreamOptions, streamBody } from '../../src/http/sse.ts'
import { type Served, serve, until } from '../support/serve.ts'

let served: Served | undefined
afterEach(() => served?.close())

type Source = (context: Context) => AsyncGenerator<Uint8Array | string>

async function stream(source: Source, options?: StreamOptions): Promise<Served> {
  served = await serve((context) => streamBody(context, source(context), options))
  return served
}

describe('a stream', () => {
  it('arrives whole, with the headers that keep proxies from holding it back', async () => {
    const { url, lines } = await stream(async function* () {
      yield 'data: 1\n\n'
      yield Buffer.from('data: [DONE]\n\n')
    })
    const response = await fetch(url)
    expect(await response.text()).toBe('data: 1\n\ndata: [DONE]\n\n')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-cache')
    expect(response.headers.get('x-accel-buffering')).toBe('no')
    expect(response.headers.get('x-request-id')).toMatch(/^req_/)
    expect(await until('the line', () => lines[0])).toMatchObject({ status: 200, first_byte_ms: expect.any(Number) })
  })

  it('that fails before its first chunk is an ordinary error', async () => {
    // biome-ignore lint/correctness/useYield: it fails before it yields.
    const { url } = await stream(async function* () {
      throw new Failure(429, 'rate_limit_exceeded', 'Slower.')
    })
    const response = await fetch(url)
    expect(response.status).toBe(429)
    expect(response.headers.get('content-type')).toContain('application/json')
  })

  it('that fails later ends with one error event and no end marker', async () => {
    const { url, lines } = await stream(async function* () {
      yield 'data: 1\n\n'
      throw new Error('a secret')
    })
    const text = await (await fetch(url)).text()
    const [first, last] = text.trimEnd().split('\n\n')
    expect(first).toBe('data: 1')
    expect(JSON.parse(String(last?.slice(6)))).toMatchObject({
      error: { type: 'server_error', code: 'internal_error' },
    })
    expect(text).not.toMatch(/secret|DONE/)
    expect(await until('the line', () => lines[0])).toMatchObject({ error_code: 'internal_error' })
  })

  it('is kept alive by comments while nothing comes, never within an event', async () => {
    const { url } = await stream(
      async function* () {
        yield 'data: whole\n\n'
        await pause(60)
        yield 'data: ha'
        await pause(60)
        yield 'lf\n\n'
      },
      { keep_alive_ms: 15 },
    )
    const text = await (await fetch(url)).text()
    expect(text).toContain('data: whole\n\n: keep-alive\n\n')
    expect(text).toContain('data: half\n\n')
  })
})

describe('a caller who leaves', () => {
  it('ends the source and aborts the signal', async () => {
    let ended = false
    let signal: AbortSignal | undefined
    let detached = 0
    const source: Source = async function* (context) {
      signal = clientSignal(context)
      try {
        for (;;) {
          yield 'data: more\n\n'
          await pause(2)
        }
      } finally {
        ended = true
      }
    }
    const { url } = await stream(source, { on_detach: () => detached++ })
    const controller = new AbortController()
    const response = await fetch(url, { signal: controller.signal })
    await response.body?.getReader().read()
    controller.abort()
    await until('the end of the source', () => ended)
    expect(signal?.aborted).toBe(true)
    expect(detached).toBe(1)
  })

  it('aborts no signal by leaving after the answer', async () => {
    let signal: AbortSignal | undefined
    served = await serve(async (context) => {
      signal = clientSignal(context)
      context.body = 'whole'
    })
    await (await fetch(served.url)).text()
    await until('the line', () => served?.lines[0])
    expect(signal?.aborted).toBe(false)
  })
})

describe('a caller who reads nothing', () => {
  it('holds the source back, and is left behind after the time given', async () => {
    let produced = 0
    let detached = false
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const { port } = await stream(
      async function* () {
        for (;;) {
          produced += chunk.length
          yield chunk
        }
      },
      { write_timeout_ms: 100, on_detach: () => (detached = true) },
    )
    const socket = connect(port, '127.0.0.1').pause()
    socket.on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await until('the reader being left', () => detached)
    // What the kernel's buffers took, and no more.
    expect(produced).toBeLessThan(64 * 2 ** 20)
    socket.destroy()
  })
})
