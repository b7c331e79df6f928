// A handler on a real loopback port, and raw requests to it: what clients that misbehave send cannot be sent by fetch.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { RequestError } from '../../src/http/request_error.ts'

export interface Reading {
  url: string
  server: Server
  close(): Promise<void>
}

/** Answers what `read` makes of each request as JSON, or its RequestError. */
export async function serve(read: (request: IncomingMessage) => Promise<unknown>): Promise<Reading> {
  const server = createServer(async (request, response) => {
    const answer = (status: number, value: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    try {
      answer(200, await read(request))
    } catch (error) {
      if (error instanceof RequestError) answer(error.status, { ...error, message: error.message })
      else answer(500, { message: String(error) })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { url, server, close }
}

/** Writes this to the port and gives what comes back until the first answer is whole, as text. */
export function exchange(url: string, write: (send: (bytes: string | Buffer) => void) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
      const [head = '', body = ''] = text.split('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.POSITIVE_INFINITY)
      if (body.length >= length || /\r\n0\r\n\r\n$/.test(text)) socket.destroy()
    })
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
    write((bytes) => socket.write(bytes))
  })
}
