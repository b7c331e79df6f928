// A real router that can be stopped and started again on its data, and a caller of its own account, for tests of the flow.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Logger, pino } from 'pino'
import { type Environment, readConfig } from '../../src/config.ts'
import type { HeartbeatTimings } from '../../src/flow/worker/heartbeat.ts'
import { type Router, startRouter } from '../../src/start.ts'
import type { JobRecord } from '../../src/store/jobs.ts'
import { ownDatabase, type TestDatabase } from '../support/store.ts'

export interface SiteOptions {
  environment?: Environment
  timings?: Partial<HeartbeatTimings>
  /** That of another router; it is not removed then. */
  data_dir?: string
  /** Where its log goes; nowhere if absent. */
  log?: Logger
}

export class Site {
  readonly data_dir: string
  readonly #options: SiteOptions
  readonly #database: TestDatabase | undefined
  #router: Router
  readonly admin_key: string

  private constructor(data_dir: string, options: SiteOptions, router: Router, database?: TestDatabase) {
    this.data_dir = data_dir
    this.#database = database
    this.#options = options
    this.#router = router
    this.admin_key = ADMIN_KEY
  }

  static async open(options: SiteOptions = {}): Promise<Site> {
    const data_dir = options.data_dir ?? (await mkdtemp(join(tmpdir(), 'sw-flow-')))
    const database = options.environment?.MONGODB_URI === undefined ? ownDatabase() : undefined
    return new Site(data_dir, options, await start(data_dir, options, database), database)
  }

  get url(): string {
    return this.#router.url
  }

  get services(): Router['services'] {
    return this.#router.services
  }

  /** As an operator does it; `drain_ms` is how long work may go on. */
  async stop(drain_ms = 0): Promise<void> {
    await this.#router.close(drain_ms)
  }

  async restart(drain_ms = 0): Promise<void> {
    await this.stop(drain_ms)
    this.#router = await start(this.data_dir, this.#options, this.#database)
  }

  async close(): Promise<void> {
    await this.stop()
    await this.#database?.drop()
    if (this.#options.data_dir === undefined) await rm(this.data_dir, { recursive: true, force: true })
  }

  /** The account of a new user, with a key. */
  async caller(amount_usd: string, limit_usd?: string): Promise<Caller> {
    const admin = new Caller(this, ADMIN_KEY)
    const user = await admin.json<{ id: string; account_id: string }>('/api/v1/users', { name: 'Test' })
    await admin.json(`/api/v1/users/${user.id}/credits`, { amount_usd, reason: 'Test' })
    const name = { user_id: user.id, name: 'test', ...(limit_usd !== undefined && { limit_usd }) }
    const { key } = await admin.json<{ key: string }>('/api/v1/keys', name)
    return new Caller(this, key, user.account_id)
  }

  async verify(): Promise<{ ok: boolean; pending: number; drift: object[] }> {
    return new Caller(this, ADMIN_KEY).json('/api/v1/verify', {})
  }
}

const ADMIN_KEY = 'sk-sw-admin-for-tests-000000000000000000'

/** What the environment is at this moment: a test may change it between two starts. */
function start(
  data_dir: string,
  { environment, timings, log }: SiteOptions,
  database: TestDatabase | undefined,
): Promise<Router> {
  const all = { PORT: '0', DATA_DIR: data_dir, ADMIN_KEY, ...database?.environment, ...environment }
  const config = readConfig(all, data_dir)
  return startRouter(config, log ?? pino({ level: environment?.LOG_LEVEL ?? 'silent' }), undefined, timings)
}

export interface Answer {
  status: number
  headers: Headers
  job_id: string
  cost_usd: string | null
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: what a route answers is what the test looks at.
  json: any
}

export interface Credits {
  credits_usd: string
  available_usd: string
  held_usd: string
  settled_usd: string
}

/** A job as GET /v1/jobs/{id} shows it. */
export interface Job {
  id: string
  status: string
  outputs: { url: string; media_type: string; bytes: number }[]
  error: { code: string; message: string } | null
  usage: { meters: Record<string, number>; source: string } | null
  billing: { status: string; hold_usd: string; cost_usd: string | null }
  attempts: { provider: string; outcome: string }[]
}

export class Caller {
  readonly #site: Pick<Site, 'url'>
  readonly key: string
  readonly account_id: string

  constructor(site: Pick<Site, 'url'>, key: string, account_id = '') {
    this.#site = site
    this.key = key
    this.account_id = account_id
  }

  request(path: string, body?: unknown, { method, headers, signal }: RequestInit = {}): Promise<Response> {
    const form = body instanceof FormData
    return fetch(`${this.#site.url}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body !== undefined && !form && { 'content-type': 'application/json' }),
        ...(headers as Record<string, string> | undefined),
      },
      ...(body !== undefined && { body: form ? body : JSON.stringify(body) }),
      ...(signal && { signal }),
    })
  }

  async send(path: string, body?: unknown, options?: RequestInit): Promise<Answer> {
    const { status, headers, ...response } = await this.request(path, body, options).then(async (answer) => ({
      status: answer.status,
      headers: answer.headers,
      text: await answer.text(),
    }))
    const json = headers.get('content-type')?.includes('json') ? JSON.parse(response.text) : undefined
    const [job_id, cost_usd] = [headers.get('x-job-id') ?? '', headers.get('x-cost-usd')]
    return { status, headers, job_id, cost_usd, text: response.text, json }
  }

  /** The JSON of an answer that is a success. */
  async json<Body = Record<string, unknown>>(path: string, body?: unknown, options?: RequestInit): Promise<Body> {
    const answer = await this.send(path, body, options)
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`)
    return answer.json as Body
  }

  credits(): Promise<Credits> {
    return this.json<Credits>('/v1/credits')
  }

  job(id: string): Promise<Job> {
    return this.json<Job>(`/v1/jobs/${id}`)
  }

  /** The job, once it is as it is wanted. */
  jobWhen(id: string, wanted: (job: Job) => boolean = ended, within_ms = 15_000): Promise<Job> {
    return eventually(() => this.job(id), wanted, within_ms)
  }

  chat(content: string, more: object = {}, options?: RequestInit): Promise<Answer> {
    return this.send('/v1/chat/completions', chatBody(content, more), options)
  }

  async stream(content: string, more: object = {}): Promise<Stream> {
    const leaving = new AbortController()
    const body = chatBody(content, { stream: true, stream_options: { include_usage: true }, ...more })
    const response = await this.request('/v1/chat/completions', body, { signal: leaving.signal })
    return new Stream(response, leaving)
  }
}

export const chatBody = (content: string, more: object = {}) => ({
  model: 'sandbox/chat',
  max_tokens: 200,
  messages: [{ role: 'user', content }],
  ...more,
})

export const ended = ({ status }: Job): boolean => !['queued', 'in_progress'].includes(status)

/** A stream of events as its reader sees it. */
export class Stream {
  readonly status: number
  readonly job_id: string
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  readonly #leaving: AbortController
  text = ''

  constructor(response: Response, leaving: AbortController) {
    this.status = response.status
    this.job_id = response.headers.get('x-job-id') ?? ''
    this.#reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined
    this.#leaving = leaving
  }

  /** Reads until the text has this in it, or to the end. */
  async readUntil(wanted?: string): Promise<string> {
    for (;;) {
      if (wanted !== undefined && this.text.includes(wanted)) return this.text
      const next = await this.#reader?.read()
      if (!next || next.done) return this.text
      this.text += Buffer.from(next.value).toString()
    }
  }

  /** Reads until so many characters have come, or to the end. */
  async readLength(length: number): Promise<void> {
    while (this.text.length < length) {
      const next = await this.#reader?.read()
      if (!next || next.done) return
      this.text += Buffer.from(next.value).toString()
    }
  }

  leave(): void {
    this.#leaving.abort()
  }

  /** The data of every event. */
  // biome-ignore lint/suspicious/noExplicitAny: what a stream says is what the test looks at.
  get events(): any[] {
    return [...this.text.matchAll(/^data: (\{.*\})$/gm)].map(([, data]) => JSON.parse(data ?? ''))
  }

  /** What the answer says. */
  get content(): string {
    return this.events.map(({ choices }) => choices?.[0]?.delta?.content ?? '').join('')
  }
}

/** Asks until the answer is as wanted; fails with the last one. */
export async function eventually<Value>(
  ask: () => Promise<Value>,
  wanted: (value: Value) => boolean,
  within_ms = 15_000,
): Promise<Value> {
  const until = Date.now() + within_ms
  for (;;) {
    const value = await ask()
    if (wanted(value)) return value
    if (Date.now() > until) throw new Error(`Not so within ${within_ms} ms: ${JSON.stringify(value, bigints)}`)
    await pause(25)
  }
}

const bigints = (_name: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)

/** The record, as the store has it. */
export async function recordOf(site: Site, id: string): Promise<JobRecord> {
  const job = await site.services.store.jobs.findOne({ _id: id })
  if (!job) throw new Error(`Job ${id} is not in the store.`)
  return job
}
