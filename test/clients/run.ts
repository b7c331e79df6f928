// Runs one client as a person would, in a home and a folder of its own, with nothing of this machine's environment; a
// proxy that is not there keeps it from every address but loopback.
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CLIENTS_DIR } from './install.ts'

const NOWHERE = 'http://127.0.0.1:9'

export interface Place {
  /** The folder that the client works in. */
  work: string
  home: string
}

export interface Run {
  program: string
  arguments: string[]
  environment?: Record<string, string>
  /** Off for a client that knows no exceptions from its proxy. */
  fenced?: boolean
  timeout_ms?: number
}

/** Resolves to what it wrote. Throws, with the end of that, if it did not end well or in time. */
export function runClient(place: Place, wanted: Run): Promise<string> {
  for (const folder of [place.work, place.home]) mkdirSync(folder, { recursive: true })
  const { program, fenced = true, timeout_ms = 90_000 } = wanted
  const fence = fenced ? { HTTP_PROXY: NOWHERE, HTTPS_PROXY: NOWHERE, NO_PROXY: '127.0.0.1,localhost' } : {}
  const child = spawn(program, wanted.arguments, {
    cwd: place.work,
    env: {
      PATH: [dirname(process.execPath), join(CLIENTS_DIR, 'node_modules', '.bin'), process.env.PATH].join(':'),
      HOME: place.home,
      LANG: 'C.UTF-8',
      TERM: 'dumb',
      ...fence,
      ...wanted.environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: agents start programs, and none may outlive its test.
    detached: true,
  })
  let written = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (written += chunk))
  let late = false
  const timer = setTimeout(() => {
    late = true
    killGroup(child.pid)
  }, timeout_ms)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      killGroup(child.pid)
      if (code === 0 && !late) resolve(written)
      else
        reject(new Error(`${late ? `did not end in ${timeout_ms} ms` : `exit code ${code}`}\n${written.slice(-3000)}`))
    })
  })
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has already gone, as it should.
  }
}
