// A real router whose providers are stand-ins that answer with recorded bytes, cut anywhere by a seed; every recorded
// model has the same price, in which each kind of token has a weight of its own.
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { JsonObject } from '../../src/contract.ts'
import { type TestRouter, testRouter } from '../support/router.ts'
import type { Tokens } from './said.ts'

export interface Served {
  status: number
  content_type: string
  body: string
  /** How the body goes out, where it is not just cut in pieces. */
  send?(response: ServerResponse): Promise<void>
}

/** One stand-in: it answers one recording at a time. */
export interface Lane {
  serve(answer: Served): void
  /** What it was sent since it serves this answer. */
  asked: JsonObject[]
}

export interface Site extends TestRouter {
  lane(provider: string): Lane
  ask(path: string, body: JsonObject): Promise<{ status: number; headers: Headers; text: string }>
}

/** Nano-USD a token. */
const WEIGHTS = { input: 3, cached: 1, written: 5, written_1h: 7, output: 11 }
const METERS = {
  input_tokens: WEIGHTS.input,
  cached_input_tokens: WEIGHTS.cached,
  cache_write_tokens: WEIGHTS.written,
  cache_write_1h_tokens: WEIGHTS.written_1h,
  output_tokens: WEIGHTS.output,
  web_searches: 0,
}
const TIERS = [
  'auto',
  'default',
  'flex',
  'priority',
  'scale',
  'standard',
  'standard_only',
  'batch',
  'on_demand',
  'fast',
]

export const costOf = ({ input, cached, written, written_1h, output }: Tokens): number =>
  (input - cached - written) * WEIGHTS.input +
  cached * WEIGHTS.cached +
  (written - written_1h) * WEIGHTS.written +
  written_1h * WEIGHTS.written_1h +
  output * WEIGHTS.output

/** The name under which a caller asks for a provider's model, and the address that its adapter is told. */
export const modelOf = (provider: string, upstream: string): string => `replay-${provider}/${upstream}`

const BASE_PATHS: Record<string, string> = { anthropic: '', google: '' }
const VARIABLES: Record<string, string> = { google: 'GEMINI' }

export async function startSite(providers: string[], seed: number): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-replay-'))
  const lanes = new Map<string, Lane & { server: Server }>()
  const environment: Record<string, string> = {}
  for (const provider of providers) {
    const lane = await startLane(seed)
    lanes.set(provider, lane)
    const name = VARIABLES[provider] ?? provider.toUpperCase().replaceAll('-', '_')
    environment[`${name}_BASE_URL`] =
      `http://127.0.0.1:${(lane.server.address() as AddressInfo).port}${BASE_PATHS[provider] ?? '/v1'}`
    environment[`${name}_API_KEY`] = 'recorded'
    await writeFile(join(folder, `${provider}.toml`), priceFile(provider))
  }
  const router = await testRouter({
    ...environment,
    SANDBOX: 'off',
    PRICING_DIR: folder,
    PROVIDERS_DIR: join(import.meta.dirname, 'providers'),
  })
  const headers = { authorization: `Bearer ${router.api_key}`, 'content-type': 'application/json' }
  return {
    ...router,
    lane(provider) {
      const lane = lanes.get(provider)
      if (!lane) throw new Error(`There is no stand-in of ${provider}.`)
      return lane
    },
    async ask(path, body) {
      const response = await fetch(router.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
      return { status: response.status, headers: response.headers, text: await response.text() }
    },
    async close() {
      await router.close()
      for (const { server } of lanes.values()) {
        server.closeAllConnections()
        server.close()
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function priceFile(provider: string): string {
  const rates = Object.entries(METERS).flatMap(([meter, nano]) => {
    const usd = `usd = "${(nano / 1e9).toFixed(9)}"`
    return [
      `{ meter = "${meter}", ${usd} }`,
      ...TIERS.map((tier) => `{ meter = "${meter}", ${usd}, when = { tier = "${tier}" } }`),
    ]
  })
  return `source = "test/replay"
checked = 2026-11-01
[models."replay-${provider}/*"]
upstream = "*"
operation = "chat"
[[models."replay-${provider}/*".prices]]
from = 2026-01-01
rates = [${rates.join(', ')}]
`
}

async function startLane(seed: number): Promise<Lane & { server: Server }> {
  let served: Served = { status: 500, content_type: 'text/plain', body: '' }
  const random = randomFrom(seed)
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    lane.asked.push(JSON.parse(Buffer.concat(chunks).toString()))
    const bytes = Buffer.from(served.body)
    response.writeHead(served.status, { 'content-type': served.content_type })
    if (served.send) return served.send(response)
    for (const piece of cut(bytes, random)) {
      response.write(piece)
      await turn()
    }
    response.end()
  })
  const lane = {
    server,
    asked: [] as JsonObject[],
    serve(answer: Served) {
      served = answer
      lane.asked = []
    },
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return lane
}

const PIECES_MOST = 6

/** The bytes in up to six pieces, wherever they happen to end. */
function* cut(bytes: Buffer, random: () => number): Generator<Buffer> {
  const ends = Array.from({ length: Math.floor(random() * PIECES_MOST) }, () => Math.floor(random() * bytes.length))
  let at = 0
  for (const end of [...ends.sort((a, b) => a - b), bytes.length]) {
    if (end > at) yield bytes.subarray(at, end)
    at = Math.max(at, end)
  }
}

/** Mulberry32: the same numbers from the same seed, everywhere. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
