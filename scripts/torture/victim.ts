// The router that is tortured, or run at scale: the real process on a data folder of its own, killed without warning and started again.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programEnvironment, startFlags } from '../launcher/node.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MAIN = join(ROOT, 'src', 'main.ts')
/** As `npm start` has them. */
const START_MS_MAX = 30_000

export const ADMIN_KEY = 'sk-sw-admin-of-the-torture-0000000000000'

export class Victim {
  readonly #data_dir: string
  readonly #more: Record<string, string>
  #child: ChildProcess | undefined
  #fault: string | undefined
  /** http://127.0.0.1:port; another one after each start. Empty while it is down. */
  url = ''

  /** `more` of the environment: another store, other providers. */
  constructor(data_dir: string, more: Record<string, string> = {}) {
    this.#data_dir = data_dir
    this.#more = more
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Resolves when the process that was started last has ended, by whomever. */
  get died(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
    return once(child, 'exit').then(() => undefined)
  }

  get alive(): boolean {
    const child = this.#child
    return child !== undefined && child.exitCode === null && child.signalCode === null
  }

  /** Where it was told to kill itself, if that is how it ended. */
  get died_at(): string | undefined {
    return this.alive ? undefined : this.#fault
  }

  /** Answers how long it took until it was ready; `fault` is a point at which it will kill itself. */
  async start(fault?: string): Promise<number> {
    this.#fault = fault
    const began_ms = performance.now()
    const child = spawn(process.execPath, [...startFlags(ROOT), MAIN], {
      cwd: this.#data_dir,
      // Nothing of the machine's own reaches it: no provider's key, no database.
      env: programEnvironment(ROOT, {
        PATH: process.env.PATH,
        PORT: '0',
        DATA_DIR: this.#data_dir,
        ADMIN_KEY,
        LOG_LEVEL: 'error',
        ...this.#more,
        ...(fault !== undefined && { FAULT: fault }),
      }),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    let said = ''
    child.stderr.on('data', (bytes: Buffer) => process.stderr.write(bytes))
    const url = await new Promise<string>((resolve, reject) => {
      const too_long = setTimeout(() => reject(new Error('The router did not start in time.')), START_MS_MAX)
      child.once('exit', (code) => reject(new Error(`The router ended by itself with code ${code}:\n${said}`)))
      child.stdout.on('data', (bytes: Buffer) => {
        said += bytes.toString()
        const listening = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0]
        if (!listening) return
        clearTimeout(too_long)
        child.removeAllListeners('exit')
        resolve(listening)
      })
    })
    child.stdout.on('data', passOnErrors)
    this.url = url
    return performance.now() - began_ms
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child
    this.url = ''
    if (this.alive) this.#fault = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal)
  }
}

/** What its log says of errors, but for requests that failed: many are told to. */
function passOnErrors(bytes: Buffer): void {
  for (const line of bytes.toString().split('\n')) {
    if (line.startsWith('{"level":') && !line.includes('"msg":"request"')) process.stderr.write(`${line}\n`)
  }
}
