// A film vendor on a loopback port that a test plays by hand, and the site whose router calls it: the adapter and price
// file of the scale run, dropped in as an operator would.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FilmVendor } from '../../../scripts/scale/adapter.ts'
import { writeVendor } from '../../../scripts/scale/files.ts'
import { FILM } from '../../../scripts/scale/film.ts'
import { json, Stub } from '../../providers/stub.ts'
import { type Caller, type Job, Site, type SiteOptions } from '../site.ts'

export interface Film {
  job: string
  status: 'working' | 'done' | 'failed'
  /** performance.now() of each poll. */
  polled: number[]
}

/** Plays one vendor: each member may be replaced by a test. */
export class FilmMaker {
  readonly id: string
  readonly stub = new Stub()
  readonly films: Film[] = []
  /** Answers before anything else does, where it answers. */
  before: (method: string, path: string) => { status: number; retry_after?: string } | 'silence' | undefined = () =>
    undefined
  /** Each file asked for: its address, and what it is answered. */
  file: (path: string) => { status: number; body?: Uint8Array } = () => ({ status: 200 })
  /** Which file a finished film is at. */
  address: (index: number) => string = (index) => `/files/${index}.mp4`
  readonly files: string[] = []
  canceled = 0

  constructor(id: string) {
    this.id = id
    this.stub.answer = (response, { method, path, body }) => {
      const [, what = '', name = ''] = path.split('/')
      // Taken, whatever becomes of the answer.
      const film = method === 'POST' ? this.take((JSON.parse(body.toString()) as { job: string }).job) : -1
      if (method === 'GET' && what === 'films') this.films[Number(name)]?.polled.push(performance.now())
      const other = this.before(method, path)
      if (other === 'silence') return
      if (other) {
        const headers = other.retry_after ? { 'retry-after': other.retry_after } : {}
        if (method === 'POST') this.films.pop()
        return json({ error: { message: 'no' } }, other.status, headers)(response, undefined as never)
      }
      if (what === 'files') {
        this.files.push(path)
        const { status, body: bytes } = this.file(path)
        return response.writeHead(status, { 'content-type': 'video/mp4' }).end(bytes ?? FILM)
      }
      if (method === 'DELETE') {
        this.canceled++
        return json({})(response, undefined as never)
      }
      const index = what === 'find' ? this.films.findIndex(({ job }) => job === name) : film >= 0 ? film : Number(name)
      const found = this.films[index]
      const state = found && { id: String(index), status: found.status, percent: 10, file: this.address(index) }
      return json(state ?? {}, state ? 200 : 404)(response, undefined as never)
    }
  }

  take(job: string): number {
    return this.films.push({ job, status: 'working', polled: [] }) - 1
  }

  /** Films are done from the first poll on. */
  finishAll(status: Film['status'] = 'done'): void {
    for (const film of this.films) film.status = status
  }
}

export interface Cinema {
  site: Site
  makers: FilmMaker[]
  caller: Caller
  submit(maker: FilmMaker): Promise<string>
  /** Lets the time until its next step pass. */
  hurry(id: string): Promise<void>
  close(): Promise<void>
}

export interface Playing extends Partial<Omit<FilmVendor, 'id'>> {
  id: string
}

/** A router that knows these vendors and nobody else, and a caller with ten dollars. */
export async function openCinema(vendors: Playing[], options: SiteOptions = {}): Promise<Cinema> {
  const folder = await mkdtemp(join(tmpdir(), 'sw-cinema-'))
  const [providers, pricing] = [join(folder, 'providers'), join(folder, 'pricing')]
  await Promise.all([mkdir(providers), mkdir(pricing)])
  const environment: Record<string, string> = { PROVIDERS_DIR: providers, PRICING_DIR: pricing }
  const makers: FilmMaker[] = []
  for (const vendor of vendors) {
    const maker = new FilmMaker(vendor.id)
    await maker.stub.start()
    makers.push(maker)
    environment[`${vendor.id.toUpperCase()}_BASE_URL`] = maker.stub.url
    writeVendor({ polls_per_second: 50, lost_answer: 'unknown', usd_per_second: '0.01', ...vendor }, providers, pricing)
  }
  const site = await Site.open({ ...options, environment: { ...environment, ...options.environment } })
  const caller = await site.caller('10')
  return {
    site,
    makers,
    caller,
    async submit({ id }) {
      const film = { model: `${id}/film`, prompt: 'a hill', seconds: '4' }
      return (await caller.json<{ id: string }>('/v1/videos', film)).id
    },
    async hurry(id) {
      await site.services.store.jobs.updateOne(
        { _id: id, poll_at: { $exists: true } },
        { $set: { poll_at: new Date(0) } },
      )
      site.services.wake()
    },
    async close() {
      await site.close()
      await Promise.all(makers.map(({ stub }) => stub.stop()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** As an admin sees it. */
export type AdminJob = Job & { late_success?: { at: number } }
