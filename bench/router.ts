// Starts our router for the bench as the launcher would for a user: an empty data folder, the embedded store, one key with plenty of
// credit, the stand-in as OpenAI. It never goes round the HTTP API.
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { programEnvironment, startFlags } from '../scripts/launcher/node.mjs'
import { endProcess, freePort, GATEWAY_CORE, spawnOn } from './machine.ts'

/** A target that has been started. */
export interface Running {
  port: number
  headers: Record<string, string>
  /** Absent for the stand-in, which is not a gateway. */
  pid?: number | undefined
  stop: () => Promise<void>
  verify?: () => Promise<string>
}

const CREDIT_USD = '1000000.00'
const START_TIMEOUT_MS = 30_000

const root = join(import.meta.dirname, '..')

const FirstRun = z.object({ admin_key: z.string(), api_key: z.string() })
const Key = z.object({ user_id: z.string() })
const Verified = z.object({ ok: z.boolean(), entries: z.number(), drift: z.array(z.unknown()) })

async function call(origin: string, path: string, key: string, body?: object): Promise<unknown> {
  const response = await fetch(origin + path, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: body ? JSON.stringify(body) : null,
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text.slice(0, 300)}`)
  return JSON.parse(text)
}

async function waitUntilReady(origin: string, hasEnded: () => boolean, logFile: string) {
  for (const deadline = Date.now() + START_TIMEOUT_MS; Date.now() < deadline; await sleep(50)) {
    if (hasEnded()) break
    const ready = await fetch(`${origin}/readyz`).catch(() => undefined)
    if (ready?.status === 200) return
  }
  throw new Error(`the router did not start:\n${readFileSync(logFile, 'utf8').slice(-2000)}`)
}

/** Starts a router whose OpenAI is the stand-in on `upstreamPort`; `verify` asks it to re-add its books. */
export async function startRouter(upstreamPort: number): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-bench-'))
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const logFile = join(folder, 'router.log')
  const log = openSync(logFile, 'a')
  const child = spawnOn(GATEWAY_CORE, [process.execPath, ...startFlags(root), join(root, 'src/main.ts')], {
    cwd: folder,
    stdio: ['ignore', log, log],
    env: programEnvironment(root, {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      PORT: String(port),
      DATA_DIR: join(folder, 'data'),
      SANDBOX: 'on',
      OPENAI_API_KEY: 'x',
      OPENAI_BASE_URL: `http://127.0.0.1:${upstreamPort}/v1`,
    }),
  })
  const stop = async () => {
    await endProcess(child)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await waitUntilReady(origin, () => child.exitCode !== null || child.signalCode !== null, logFile)
    const { admin_key, api_key } = FirstRun.parse(JSON.parse(readFileSync(join(folder, 'data/first-run.json'), 'utf8')))
    const { user_id } = Key.parse(await call(origin, '/v1/key', api_key))
    await call(origin, `/api/v1/users/${user_id}/credits`, admin_key, { amount_usd: CREDIT_USD, reason: 'bench' })
    const verify = async () => {
      const { ok, entries, drift } = Verified.parse(await call(origin, '/api/v1/verify', admin_key, {}))
      return ok ? `books right: ${entries} entries re-added` : `BOOKS WRONG: ${JSON.stringify(drift).slice(0, 500)}`
    }
    return { port, pid: child.pid, headers: { authorization: `Bearer ${api_key}` }, stop, verify }
  } catch (error) {
    await stop()
    throw error
  }
}
