// A router of its own on the sandbox, and on a stand-in of OpenAI's images API that answers in whatever format it is told
// to: what providers give and what callers get are two things.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import OpenAI from 'openai'
import { pino } from 'pino'
import { readConfig } from '../../src/config.ts'
import { startRouter } from '../../src/start.ts'

const USAGE = {
  input_tokens: 10,
  input_tokens_details: { text_tokens: 10, image_tokens: 0 },
  output_tokens: 272,
  total_tokens: 282,
}

export interface Studio {
  client: OpenAI
  /** What the stand-in answers from now on. */
  give(bytes: Buffer): void
  /** GET with the caller's key. */
  file(path: string): Promise<Buffer>
  close(): Promise<void>
}

export async function openStudio(data_dir: string): Promise<Studio> {
  let b64_json = ''
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const body = JSON.stringify({ created: 1_795_000_000, data: [{ b64_json }], usage: USAGE })
      response.writeHead(200, { 'content-type': 'application/json' }).end(body)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const environment = {
    PORT: '0',
    DATA_DIR: data_dir,
    OPENAI_API_KEY: 'sk-stand-in',
    OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`,
  }
  const router = await startRouter(readConfig(environment, data_dir), pino({ level: 'error' }))
  const apiKey = router.first_run.api_key ?? ''
  return {
    client: new OpenAI({ baseURL: `${router.url}/v1`, apiKey, maxRetries: 0 }),
    give: (bytes) => {
      b64_json = bytes.toString('base64')
    },
    async file(path) {
      const response = await fetch(router.url + path, { headers: { authorization: `Bearer ${apiKey}` } })
      if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`)
      return Buffer.from(await response.arrayBuffer())
    },
    async close() {
      await router.close(0)
      await new Promise((done) => server.close(done))
    },
  }
}
