// A real router as a process of its own, with a fresh store, whose providers are the stand-in; and its admin's view of it.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { JsonObject } from '../../src/contract.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const READY_MS = 20_000

export interface RouterProcess {
  /** http://127.0.0.1:port */
  url: string
  /** Calls the API as an admin, or as the caller of `key`. Throws on any answer but a success. */
  call(method: string, path: string, body?: JsonObject, key?: string): Promise<JsonObject>
  /** A key of a user of its own, who has $10, as the demo user has. */
  newKey(name: string): Promise<string>
  /** The lines of its log since the last call. */
  log(): string[]
  close(): Promise<void>
}

export async function startRouterProcess(data_dir: string, stub_url: string): Promise<RouterProcess> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
    cwd: data_dir,
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      DATA_DIR: data_dir,
      OPENAI_API_KEY: 'stub',
      OPENAI_BASE_URL: `${stub_url}/v1`,
      ANTHROPIC_API_KEY: 'stub',
      ANTHROPIC_BASE_URL: stub_url,
      GEMINI_API_KEY: 'stub',
      GEMINI_BASE_URL: stub_url,
      GROQ_API_KEY: 'stub',
      GROQ_BASE_URL: `${stub_url}/v1`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let written = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (written += chunk))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const close = async () => {
    child.kill('SIGTERM')
    await ended
  }
  const first_run = join(data_dir, 'first-run.json')
  const until = Date.now() + READY_MS
  while (!existsSync(first_run) || !/listens on/.test(written)) {
    if (child.exitCode !== null || Date.now() > until) {
      await close()
      throw new Error(`The router does not start:\n${written}`)
    }
    await pause(20)
  }
  const { base_url, admin_key } = JSON.parse(readFileSync(first_run, 'utf8')) as { base_url: string; admin_key: string }
  const url = base_url.replace(/\/v1$/, '')

  async function call(method: string, path: string, body?: JsonObject, key = admin_key): Promise<JsonObject> {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const response = await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return JSON.parse(text)
  }

  return {
    url,
    call,
    async newKey(name) {
      const { id } = await call('POST', '/api/v1/users', { name })
      await call('POST', `/api/v1/users/${id}/credits`, { amount_usd: '10.00', reason: 'clients' })
      return String((await call('POST', '/api/v1/keys', { user_id: id as string, name })).key)
    },
    log() {
      const lines = written.split('\n')
      written = ''
      return lines
    },
    close,
  }
}
