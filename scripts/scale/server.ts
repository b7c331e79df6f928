// Plays every vendor of the scale run, each on a loopback port of its own, in a process apart from all that is measured.
// Says `{"ports": …}` on its standard output; answers a message 'report' over IPC with what it has seen.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FILM } from './film.ts'
import { type FilmReport, VENDORS, type Vendor, type VendorReport } from './vendors.ts'

const divisor = Number(process.argv[2] ?? 1)

/** So many in a second, and no more than that at once. */
class Bucket {
  readonly #rate: number
  #left: number
  #at = performance.now()

  constructor(rate: number) {
    this.#rate = rate
    this.#left = rate
  }

  take(): boolean {
    const now = performance.now()
    this.#left = Math.min(this.#rate, this.#left + ((now - this.#at) / 1000) * this.#rate)
    this.#at = now
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}

class Play {
  readonly vendor: Vendor
  readonly films: FilmReport[] = []
  readonly #by_job = new Map<string, number>()
  readonly #polls: Bucket
  readonly #submissions: Bucket
  readonly #by_second = new Map<number, number>()
  #counted = { polls: 0, refused_polls: 0, refused_submissions: 0 }

  constructor(vendor: Vendor) {
    this.vendor = vendor
    this.#polls = new Bucket(vendor.polls_per_second)
    this.#submissions = new Bucket(vendor.submissions_per_second)
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, what = '', id = ''] = (request.url ?? '').split('/')
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (what === 'files') {
      response.setHeader('content-type', 'video/mp4')
      return void response.end(FILM)
    }
    const [status, body] = this.#act(request.method ?? '', what, id, Buffer.concat(chunks).toString())
    if (status === 429) response.setHeader('retry-after', '2')
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }

  #act(method: string, what: string, id: string, body: string): [status: number, body: object] {
    if (what === 'find') {
      const at = this.#by_job.get(id)
      return at === undefined ? [404, { error: { message: 'no such job' } }] : [200, this.#state(at)]
    }
    if (method === 'POST') return this.#submit((JSON.parse(body) as { job: string }).job)
    if (method === 'DELETE') return [200, {}]
    return this.#poll(Number(id))
  }

  #submit(job: string): [number, object] {
    if (!this.#submissions.take()) {
      this.#counted.refused_submissions++
      return [429, { error: { message: 'too many submissions' } }]
    }
    const before = this.#by_job.get(job)
    const film = before === undefined ? undefined : this.films[before]
    if (film && this.vendor.lost_answer === 'repeatable') return [200, this.#state(before ?? 0)]
    if (film) film.doubles++
    const now = Date.now()
    const index = this.films.length
    const { least_s, spread_s, straggler, failing } = this.vendor
    const plain_s = least_s + spread_s * Math.random()
    const takes_s = (straggler > 0 && index % straggler === straggler - 1 ? plain_s * 1.5 : plain_s) / divisor
    const fails = index % failing === failing - 1
    const completed_at = now + takes_s * 1000
    this.films.push({ vendor: this.vendor.id, job, submitted_at: now, completed_at, fails, doubles: 0, polls: 0 })
    this.#by_job.set(job, index)
    return [200, this.#state(index)]
  }

  #poll(index: number): [number, object] {
    const second = Math.floor(Date.now() / 1000)
    this.#by_second.set(second, (this.#by_second.get(second) ?? 0) + 1)
    this.#counted.polls++
    if (!this.#polls.take()) {
      this.#counted.refused_polls++
      return [429, { error: { message: 'too many polls' } }]
    }
    const film = this.films[index]
    if (!film) return [404, { error: { message: 'no such film' } }]
    film.polls++
    return [200, this.#state(index)]
  }

  #state(index: number): object {
    const film = this.films[index]
    if (!film) return {}
    const { submitted_at, completed_at, fails } = film
    const part = (Date.now() - submitted_at) / (completed_at - submitted_at)
    return {
      id: String(index),
      status: part < 1 ? 'working' : fails ? 'failed' : 'done',
      percent: Math.min(99, Math.floor(part * 100)),
      file: `/files/${index}.mp4`,
    }
  }

  report(): VendorReport {
    const polls_by_second = [...this.#by_second].sort(([a], [b]) => a - b)
    const most_polls = Math.max(0, ...polls_by_second.map(([, polls]) => polls))
    return { id: this.vendor.id, ...this.#counted, most_polls, polls_by_second, films: this.films }
  }
}

const plays = VENDORS.map((vendor) => new Play(vendor))
const ports: Record<string, number> = {}
for (const play of plays) {
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    play.answer(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ports[play.vendor.id] = (server.address() as AddressInfo).port
}
// Whoever started it is gone.
process.on('disconnect', () => process.exit())
process.on('message', () => process.send?.(plays.map((play) => play.report())))
process.send?.({ ports })
