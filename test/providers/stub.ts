// A provider on a real loopback port for tests: it answers what the test says and notes what it was sent.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface Seen {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: Buffer
}

export type Answer = (response: ServerResponse, seen: Seen) => unknown

export class Stub {
  readonly seen: Seen[] = []
  /** What the next requests get. */
  answer: Answer = (response) => response.writeHead(404).end('{}')
  /** How many connections were destroyed before their answer was whole. */
  broken = 0
  #sockets = new Set<Socket>()
  #server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { method = '', url = '', headers } = request
    const seen = { method, path: url, headers, body: Buffer.concat(chunks) }
    this.seen.push(seen)
    response.on('close', () => {
      if (!response.writableFinished) this.broken++
    })
    await this.answer(response, seen)
  })

  async start(): Promise<this> {
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return this
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get connections(): number {
    return this.#sockets.size
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** Answers with JSON. */
export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  }

/** Answers with a stream of events, written in pieces of `piece_bytes` so that they are cut anywhere. */
export const sse =
  (text: string, piece_bytes = Number.POSITIVE_INFINITY): Answer =>
  async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += piece_bytes) {
      response.write(bytes.subarray(at, at + piece_bytes))
      if (piece_bytes < bytes.length) await new Promise((resolve) => setImmediate(resolve))
    }
    response.end()
  }

/** Waits until the condition holds, at most two seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 2000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('waited two seconds in vain')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
