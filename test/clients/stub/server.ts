// A stand-in of the model vendors on loopback: one server, four wire formats, one script. It keeps what it would have
// refused as faults; it never calls anything.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from '../../../src/contract.ts'
import { anthropicStub, countTokensStub } from './anthropic.ts'
import { geminiStub } from './gemini.ts'
import { openaiChatStub } from './openai_chat.ts'
import { openaiResponsesStub } from './openai_responses.ts'

export type StubAnswer = { json: JsonObject } | { events: { event?: string; data: string }[] }

/** One wire format. What it pushes on `faults` the real provider would have refused. */
export interface Speaker {
  path: RegExp
  answer(body: JsonObject, request: { url: string; headers: IncomingMessage['headers'] }, faults: string[]): StubAnswer
}

const SPEAKERS = [openaiChatStub, openaiResponsesStub, anthropicStub, countTokensStub, geminiStub]

export interface Stub {
  /** http://127.0.0.1:port */
  url: string
  /** What came since the last call of `take`: the path, the body, and what a real provider would have said against it. */
  take(): StubRequest[]
  close(): Promise<void>
}
export interface StubRequest {
  path: string
  body: JsonObject
  faults: string[]
}

export async function startStub(): Promise<Stub> {
  let requests: StubRequest[] = []
  const server = createServer(async (request, response) => {
    const url = request.url ?? ''
    const path = url.split('?')[0] ?? ''
    const body = JSON.parse((await bytesOf(request)).toString() || '{}') as JsonObject
    const faults: string[] = []
    requests.push({ path, body, faults })
    const speaker = SPEAKERS.find((one) => one.path.test(path))
    if (speaker === undefined) {
      faults.push('no such path')
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":{"message":"no such path"}}')
      return
    }
    const answer = speaker.answer(body, { url, headers: request.headers }, faults)
    if (faults.length > 0) {
      response.writeHead(400, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: { message: faults.join('; '), type: 'invalid_request_error', code: 400 } }))
      return
    }
    if ('json' in answer) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer.json))
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const { event, data } of answer.events) {
      response.write(`${event === undefined ? '' : `event: ${event}\n`}data: ${data}\n\n`)
    }
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const taken = requests
      requests = []
      return taken
    },
    close: () => close(server),
  }
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function close(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}
