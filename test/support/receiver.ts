// A receiver of webhooks on loopback: keeps what it was sent, and answers as it is told.
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Received {
  path: string
  headers: IncomingHttpHeaders
  body: string
  // biome-ignore lint/suspicious/noExplicitAny: what came is what the test looks at.
  json: any
}

export interface Receiver {
  url: string
  received: Received[]
  /** How the next ones are answered; 204 to begin with. */
  answer: (response: ServerResponse, delivery: Received) => void
  /** Resolves when so many have come. */
  until(count: number, within_ms?: number): Promise<Received[]>
  close(): Promise<void>
}

export async function receiver(): Promise<Receiver> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const delivery = { path: request.url ?? '', headers: request.headers, body, json: JSON.parse(body || 'null') }
    self.received.push(delivery)
    self.answer(response, delivery)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const self: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received: [],
    answer: (response) => void response.writeHead(204).end(),
    async until(count, within_ms = 10_000) {
      const end = Date.now() + within_ms
      while (self.received.length < count) {
        if (Date.now() > end) throw new Error(`${self.received.length} of ${count} webhooks came.`)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      return self.received
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return self
}
