// Routers in processes of their own beside the one of the test, on the same store: to be killed or frozen.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SiteOptions } from './site.ts'

const SCRIPT = fileURLToPath(new URL('./victim.ts', import.meta.url))

export interface Victim {
  url: string
  process: ChildProcess
  data_dir: string
}

export async function startVictim({ environment, timings }: SiteOptions): Promise<Victim> {
  const data_dir = await mkdtemp(join(tmpdir(), 'sw-victim-'))
  const options = JSON.stringify({ data_dir, timings, environment })
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SCRIPT, options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [url] = (await once(child.stdout, 'data')) as [Buffer]
  return { url: url.toString().trim(), process: child, data_dir }
}

export async function killVictim({ process: child, data_dir }: Victim): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await rm(data_dir, { recursive: true, force: true })
}
