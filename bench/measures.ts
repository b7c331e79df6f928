// The measurements, each the same work for every target. Figures of a gateway come from /proc, figures of a caller from the
// load generator. It never judges them.
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadOrder, LoadResult } from './load.ts'
import { coreBusy, cpuTime, GATEWAY_CORE, keepingAwake, LOAD_CORE, residentMb, spawnOn } from './machine.ts'
import type { Running } from './router.ts'
import type { Target } from './targets.ts'

/** One figure a key; times in the unit of the key's last word. */
export type Figures = Record<string, number>

export interface Sitting {
  upstreamPort: number
  seconds: number
  runs: number
  /** How often a disturbed run is made again. */
  tries: number
}

export interface Measure {
  name: string
  /** Whether a gateway's figure is read against the stand-in's own. */
  against_direct: boolean
  take: (target: Target, sitting: Sitting) => Promise<Figures>
}

interface Run extends LoadResult {
  cpu_s: number
  store_cpu_s: number
  resident_mb: number
  /** The share of the gateway's core that others took. */
  disturbed: number
}

const question =
  'Write a short paragraph about a heron that waits in shallow water for its breakfast, and suggest two other pastimes for it. Keep it under one hundred words and do not use the word patience.'
const messages = [
  { role: 'system', content: 'You are a careful assistant. Answer briefly and never repeat the question to the user.' },
  { role: 'user', content: question },
]
const chat = { model: 'openai/gpt-4o-mini', messages, temperature: 0.7, max_tokens: 256, top_p: 1, user: 'user-1234' }
const chatBody = JSON.stringify(chat)
const streamBody = JSON.stringify({ ...chat, stream: true, stream_options: { include_usage: true } })
const imageBody = JSON.stringify({
  model: 'openai/gpt-image-1-mini',
  prompt: 'a heron in shallow water, watercolour',
  n: 1,
  size: '1024x1024',
})

const CHAT_PATH = '/v1/chat/completions'
const IMAGE_PATH = '/v1/images/generations'
const MOST_DISTURBED = 0.08

export const median = (values: number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

async function generate(order: LoadOrder): Promise<LoadResult> {
  const program = new URL('./load.ts', import.meta.url).pathname
  const child = spawnOn(LOAD_CORE, [process.execPath, program, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (!child.stdout) throw new Error('the load generator has no output')
  return JSON.parse(await text(child.stdout)) as LoadResult
}

type Work = Omit<LoadOrder, 'port' | 'headers'>

async function runOnce(running: Running, work: Work): Promise<Run> {
  const { pid, port, headers } = running
  const cpu = () => (pid === undefined ? { total_s: 0, store_s: 0 } : cpuTime(pid))
  let resident_mb = 0
  const look = () => {
    if (pid !== undefined) resident_mb = Math.max(resident_mb, residentMb(pid))
  }
  const timer = setInterval(look, 250)
  const before = { ...cpu(), core_s: coreBusy(GATEWAY_CORE) }
  const result = await generate({ ...work, port, headers })
  const after = { ...cpu(), core_s: coreBusy(GATEWAY_CORE) }
  clearInterval(timer)
  look()
  if (result.complaint !== undefined) console.error(`  ${result.errors} errors; the first: ${result.complaint}`)
  const cpu_s = after.total_s - before.total_s
  return {
    ...result,
    cpu_s,
    store_cpu_s: after.store_s - before.store_s,
    resident_mb,
    disturbed: pid === undefined ? 0 : (after.core_s - before.core_s - cpu_s) / result.seconds,
  }
}

/** Runs until others leave the gateway's core alone, at most a few times; the quietest run counts. */
async function runQuietly(running: Running, { tries }: Sitting, work: Work): Promise<Run> {
  let best: Run | undefined
  for (let attempt = 0; attempt < tries; attempt++) {
    const run = await runOnce(running, work)
    if (best === undefined || run.disturbed < best.disturbed) best = run
    if (best.disturbed <= MOST_DISTURBED) return best
  }
  if (!best) throw new Error('unreachable: at least one run was made')
  console.error(`  disturbed: others took ${Math.round(best.disturbed * 100)} % of the gateway's core`)
  return best
}

async function setStream(upstreamPort: number, settings: { chunks: number; gap_ms: number }) {
  await fetch(`http://127.0.0.1:${upstreamPort}/settings`, { method: 'POST', body: JSON.stringify(settings) })
}

/** Starts the target afresh, hands it to `work`, and stops it whatever happens. */
async function withTarget<T>(
  target: Target,
  { upstreamPort }: Sitting,
  work: (running: Running) => Promise<T>,
): Promise<T> {
  const running = await target.start(upstreamPort)
  try {
    return await work(running)
  } finally {
    await running.stop()
  }
}

async function repeat(running: Running, sitting: Sitting, work: Work): Promise<Run[]> {
  const done: Run[] = []
  for (let index = 0; index < sitting.runs; index++) done.push(await runQuietly(running, sitting, work))
  return done
}

const cpuPer = (run: Run, count: number) => ((run.cpu_s - run.store_cpu_s) / count) * 1e6

const chatBusy: Measure = {
  name: 'chat, 32 at once',
  against_direct: false,
  take: (target, sitting) =>
    withTarget(target, sitting, async (running) => {
      const work = { path: CHAT_PATH, body: chatBody, connections: 32, seconds: sitting.seconds }
      await runOnce(running, { ...work, seconds: 3 })
      const runs = await repeat(running, sitting, work)
      const books = await running.verify?.()
      if (books) console.error(`  ${books}`)
      return {
        chat_requests_s: median(runs.map((run) => run.completed / run.seconds)),
        chat_cpu_us: median(runs.map((run) => cpuPer(run, run.completed))),
        chat_store_cpu_us: median(runs.map((run) => (run.store_cpu_s / run.completed) * 1e6)),
        chat_p99_ms: median(runs.map((run) => run.latency_p99_ms)),
        resident_mb: Math.max(...runs.map((run) => run.resident_mb)),
        errors: runs.reduce((sum, run) => sum + run.errors, 0),
      }
    }),
}

const chatAlone: Measure = {
  name: 'chat, 1 at a time',
  against_direct: true,
  take: (target, sitting) =>
    withTarget(target, sitting, async (running) => {
      const work = { path: CHAT_PATH, body: chatBody, connections: 1, seconds: sitting.seconds }
      await runOnce(running, { ...work, connections: 8, seconds: 2 })
      // The spinners count as others, so these runs cannot tell whether they were disturbed.
      const runs: Run[] = []
      await keepingAwake(async () => {
        for (let index = 0; index < sitting.runs; index++) runs.push(await runOnce(running, work))
      })
      return { chat_alone_p50_ms: median(runs.map((run) => run.latency_p50_ms)) }
    }),
}

const firstChunk: Measure = {
  name: 'paced stream, 1 at a time',
  against_direct: true,
  take: (target, sitting) =>
    withTarget(target, sitting, async (running) => {
      await setStream(sitting.upstreamPort, { chunks: 20, gap_ms: 5 })
      const work = { path: CHAT_PATH, body: streamBody, connections: 1, seconds: 20, most_requests: 40 }
      await runOnce(running, { ...work, connections: 8, seconds: 2 })
      const run = await runQuietly(running, sitting, work)
      return { first_chunk_p50_ms: run.first_chunk_p50_ms }
    }),
}

const pacedChunks: Measure = {
  name: 'paced stream, 64 at once',
  against_direct: false,
  take: (target, sitting) =>
    withTarget(target, sitting, async (running) => {
      await setStream(sitting.upstreamPort, { chunks: 200, gap_ms: 5 })
      const work = { path: CHAT_PATH, body: streamBody, connections: 64, seconds: Math.max(4, sitting.seconds) }
      await runOnce(running, { ...work, seconds: 2 })
      const run = await runQuietly(running, sitting, work)
      return { chunk_cpu_us: cpuPer(run, run.chunks), chunks_s: run.chunks / run.seconds, stream_errors: run.errors }
    }),
}

const idleStreams: Measure = {
  name: '1,000 slow streams',
  against_direct: false,
  take: (target, sitting) =>
    withTarget(target, sitting, async (running): Promise<Figures> => {
      await setStream(sitting.upstreamPort, { chunks: 200, gap_ms: 200 })
      await sleep(500)
      const fresh_mb = running.pid === undefined ? 0 : residentMb(running.pid)
      const run = await runOnce(running, { path: CHAT_PATH, body: streamBody, connections: 1000, seconds: 12 })
      return {
        fresh_mb,
        stream_kb: ((run.resident_mb - fresh_mb) * 1024) / 1000,
        slow_chunks_s: run.chunks / run.seconds,
        slow_errors: run.errors,
      }
    }),
}

const image: Measure = {
  name: '1.5 MB picture, 8 at once',
  against_direct: false,
  take: (target, sitting) =>
    withTarget(target, sitting, async (running) => {
      const work = { path: IMAGE_PATH, body: imageBody, connections: 8, seconds: sitting.seconds }
      await runOnce(running, { ...work, seconds: 2 })
      const runs = await repeat(running, sitting, work)
      return {
        image_mb_s: median(runs.map((run) => run.bytes / run.seconds / 1e6)),
        image_cpu_ms: median(runs.map((run) => cpuPer(run, run.completed) / 1000)),
        image_errors: runs.reduce((sum, run) => sum + run.errors, 0),
      }
    }),
}

export const MEASURES: Measure[] = [chatBusy, chatAlone, firstChunk, pacedChunks, idleStreams, image]
