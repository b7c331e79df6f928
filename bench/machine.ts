// What the bench reads off Linux: CPU time by process tree and thread, memory, other users of a core. It never changes
// anything but the core a process runs on.
import { type ChildProcess, execFileSync, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'

/** The gateway runs alone on one core; the upstream and the load generator share the other. */
export const GATEWAY_CORE = 0
export const LOAD_CORE = 1

/** The name that src/store/embedded gives its thread. */
const STORE_THREAD = 'store'

const CLOCK_TICKS = 100

/** A file of /proc, or nothing if its process has ended meanwhile. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return ''
    throw error
  }
}

function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `${pid}/task/${thread}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** A process and all its descendants. */
function processTree(pid: number): number[] {
  const children = threads(pid).flatMap((thread) =>
    readProc(`${thread}/children`).split(' ').filter(Boolean).map(Number),
  )
  return [pid, ...children.flatMap(processTree)]
}

export interface CpuTime {
  /** Seconds of all threads of the tree, the store's thread included. */
  total_s: number
  store_s: number
}

export function cpuTime(pid: number): CpuTime {
  const time = { total_s: 0, store_s: 0 }
  for (const thread of processTree(pid).flatMap(threads)) {
    const seconds = Number(readProc(`${thread}/schedstat`).split(' ')[0]) / 1e9
    time.total_s += seconds
    if (readProc(`${thread}/comm`).trim() === STORE_THREAD) time.store_s += seconds
  }
  return time
}

export function residentMb(pid: number): number {
  const kilobytes = processTree(pid).map((member) =>
    Number(/VmRSS:\s+(\d+)/.exec(readProc(`${member}/status`))?.[1] ?? 0),
  )
  return kilobytes.reduce((sum, each) => sum + each, 0) / 1024
}

/** Seconds that a core has been busy since the machine started, idle-class work left out. */
export function coreBusy(core: number): number {
  const line = readProc('stat')
    .split('\n')
    .find((each) => each.startsWith(`cpu${core} `))
  const [user = 0, , system = 0, , , irq = 0, softirq = 0] = (line ?? '').split(/\s+/).slice(1).map(Number)
  return (user + system + irq + softirq) / CLOCK_TICKS
}

export const hasCommand = (command: string) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0

/** Whether the gateway can have a core of its own here. */
export const canPin = availableParallelism() >= 2 && hasCommand('taskset')

export function spawnOn(core: number, command: string[], options: SpawnOptions): ChildProcess {
  const [program = '', ...programArguments] = canPin ? ['taskset', '-c', String(core), ...command] : command
  return spawn(program, programArguments, options)
}

export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await exited
  clearTimeout(timer)
}

/**
 * Keeps both cores from sleeping while `work` runs, with spinners that yield to everything: waking a virtual core can take
 * longer than what is measured at concurrency 1.
 */
export async function keepingAwake<T>(work: () => Promise<T>): Promise<T> {
  if (!canPin || !hasCommand('chrt')) return work()
  const spinners = [GATEWAY_CORE, LOAD_CORE].map((core) =>
    spawnOn(core, ['chrt', '--idle', '0', 'sh', '-c', 'while :; do :; done'], { stdio: 'ignore' }),
  )
  try {
    return await work()
  } finally {
    await Promise.all(spinners.map(endProcess))
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

export function describeMachine(): string {
  const model = /model name\s*: (.+)/.exec(readProc('cpuinfo'))?.[1] ?? 'unknown processor'
  const kernel = execFileSync('uname', ['-sr'], { encoding: 'utf8' }).trim()
  return `${availableParallelism()} cores of ${model}, ${kernel}, Node ${process.versions.node}`
}
