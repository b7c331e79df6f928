// The load generator: keeps a number of connections busy with one request each for some seconds, then prints what it saw as
// one line of JSON. Raw sockets, one read buffer for all: it must cost less than what it measures. It never retries.
//   node bench/load.ts '<LoadOrder as JSON>'
import { connect, type Socket } from 'node:net'

export interface LoadOrder {
  port: number
  path: string
  headers: Record<string, string>
  body: string
  connections: number
  seconds: number
  /** Stop before `seconds` are over once so many answers have been read. */
  most_requests?: number
}

export interface LoadResult {
  seconds: number
  completed: number
  errors: number
  bytes: number
  /** Server-sent events seen; 0 for answers that are not streams. */
  chunks: number
  latency_p50_ms: number
  latency_p99_ms: number
  first_chunk_p50_ms: number
  /** The start of the first answer that was not 200, to say what went wrong. */
  complaint?: string
}

const EVENT = 'data: '
const LAST_CHUNK = '0\r\n\r\n'

/** libuv fills the buffer and calls back before it reads from another socket, so all of them can share one. */
const readBuffer = Buffer.allocUnsafe(256 * 1024)

function requestBytes(order: LoadOrder): Buffer {
  const headers = {
    host: `127.0.0.1:${order.port}`,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(order.body)),
    ...order.headers,
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`POST ${order.path} HTTP/1.1\r\n${lines.join('')}\r\n${order.body}`)
}

export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}

/** One answer as it comes in: finds its end, and counts its events if it is a stream. */
class Answer {
  private head = ''
  private remaining: number | undefined
  private isStream = false
  private tail = ''
  status = 0
  chunks = 0

  /** Takes what was read; returns whether the answer is complete. */
  take(bytes: Buffer): boolean {
    if (this.status !== 0) return this.takeBody(bytes)
    this.head += bytes.toString('latin1')
    const end = this.head.indexOf('\r\n\r\n')
    if (end === -1) return false
    const headers = this.head.slice(0, end).toLowerCase()
    this.status = Number(headers.slice(9, 12))
    this.isStream = headers.includes('text/event-stream')
    const length = /content-length: *(\d+)/.exec(headers)?.[1]
    if (length !== undefined) this.remaining = Number(length)
    return this.takeBody(Buffer.from(this.head.slice(end + 4), 'latin1'))
  }

  get start(): string {
    return this.head.slice(0, 500)
  }

  private takeBody(bytes: Buffer): boolean {
    if (this.isStream) this.countEvents(bytes)
    if (this.remaining !== undefined) {
      this.remaining -= bytes.length
      return this.remaining <= 0
    }
    this.tail = (this.tail + bytes.toString('latin1', Math.max(0, bytes.length - LAST_CHUNK.length))).slice(
      -LAST_CHUNK.length,
    )
    return this.tail === LAST_CHUNK
  }

  private countEvents(bytes: Buffer) {
    const text = this.tail + bytes.toString('latin1')
    for (let at = text.indexOf(EVENT); at !== -1; at = text.indexOf(EVENT, at + EVENT.length)) this.chunks++
  }
}

function run(order: LoadOrder): Promise<LoadResult> {
  const request = requestBytes(order)
  const started = performance.now()
  const most = order.most_requests ?? Number.POSITIVE_INFINITY
  const latencies: number[] = []
  const firstChunks: number[] = []
  const seen = { asked: 0, completed: 0, errors: 0, bytes: 0, chunks: 0 }
  let complaint: string | undefined
  let stopped = false

  return new Promise((resolve) => {
    const stop = () => {
      if (stopped) return
      stopped = true
      const result: LoadResult = {
        seconds: (performance.now() - started) / 1000,
        completed: seen.completed,
        errors: seen.errors,
        bytes: seen.bytes,
        chunks: seen.chunks,
        latency_p50_ms: percentile(latencies, 0.5),
        latency_p99_ms: percentile(latencies, 0.99),
        first_chunk_p50_ms: percentile(firstChunks, 0.5),
      }
      resolve(complaint === undefined ? result : { ...result, complaint })
    }

    const open = () => {
      let answer = new Answer()
      let asked = 0
      const ask = () => {
        if (seen.asked++ >= most || stopped) return
        answer = new Answer()
        asked = performance.now()
        socket.write(request)
      }
      const read = (count: number, buffer: Uint8Array) => {
        if (stopped) return false
        seen.bytes += count
        const before = answer.chunks
        const complete = answer.take(Buffer.from(buffer.buffer, buffer.byteOffset, count))
        if (before === 0 && answer.chunks > 0) firstChunks.push(performance.now() - asked)
        seen.chunks += answer.chunks - before
        if (!complete) return true
        if (answer.status === 200) {
          seen.completed++
          latencies.push(performance.now() - asked)
        } else {
          seen.errors++
          complaint ??= answer.start
        }
        if (seen.completed + seen.errors >= most) stop()
        else ask()
        return true
      }
      const socket: Socket = connect({
        port: order.port,
        host: '127.0.0.1',
        noDelay: true,
        onread: { buffer: readBuffer, callback: read },
      })
      socket.once('connect', ask)
      socket.on('error', (error) => {
        seen.errors++
        complaint ??= error.message
      })
      socket.once('close', () => {
        if (!stopped) setTimeout(open, 5)
      })
    }

    for (let index = 0; index < order.connections; index++) setTimeout(open, index < 64 ? 0 : index / 2)
    setTimeout(stop, order.seconds * 1000)
  })
}

if (import.meta.main) {
  console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? '{}') as LoadOrder)))
  process.exit(0)
}
