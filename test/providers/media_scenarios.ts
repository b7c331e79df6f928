// What must be true of every maker of pictures, films and speech that works by task, whatever its wire: made, failed,
// refused, canceled, expired, its file gone. Through the whole router and a stub that speaks the vendor's own format.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Environment } from '../../src/config.ts'
import { FETCH_MS } from '../../src/flow/worker/hand_back.ts'
import { type Caller, ended, eventually, type Job, recordOf, Site } from '../flow/site.ts'
import { film, mp3, picture, wav } from '../media/samples.ts'
import { type Seen, Stub } from './stub.ts'

/** What the vendor does with the next work; a test sets it before it asks. */
export type Play =
  | 'makes it'
  | 'fails'
  | 'refuses the content'
  | 'refuses the content at once'
  | 'is out of credit'
  | 'throttles once'
  | 'never ends'
  | 'loses the file'

export interface Scene {
  play: Play
  /** How often the task has been looked at, this look included; 0 when it is submitted. */
  looks: number
  /** Address of the finished file, on the vendor's own host. */
  file(kind: 'picture' | 'film' | 'sound'): string
  /** The bytes of a sound. */
  sound: Uint8Array
}

export interface Reply {
  status?: number
  headers?: Record<string, string>
  json?: unknown
  /** Of an answer that is no JSON. */
  body?: Uint8Array
}

/** The vendor's side of the wire: what it says to one request. Undefined: it knows no such address. */
export interface Vendor {
  environment(url: string): Environment
  /** Whether this request submits new work; every other one looks at it. */
  submits(seen: Seen): boolean
  reply(seen: Seen, scene: Scene): Reply | undefined
  /** The request that ends work, where the vendor knows one. */
  cancels?(seen: Seen): boolean
  /** Plays that its wire cannot tell: speech that is made at once is never looked at, and never canceled. */
  never?: Play[]
}

export interface Work {
  what: string
  /** Made before, and named in `path` by `{id}`: a film that is continued. */
  after?: { path: string; body: object }
  path: string
  body: object
  /** What the submitting request must look like. */
  sent: { path: string; body: object; headers?: object }
  /** What the finished work costs, to nine places. */
  cost_usd: string
  media_type: string
  /** Made within one request. */
  at_once?: true
}

const NOTHING = '0.000000000'

const json = (seen: Seen): unknown => (seen.body.length > 0 ? JSON.parse(seen.body.toString()) : undefined)

/** One router, one vendor, every play with every work. */
export function describeMedia(id: string, vendor: Vendor, works: Work[]): void {
  describe(id, () => {
    const stub = new Stub()
    let site: Site
    let play: Play = 'makes it'
    let looks = 0
    let throttled = false
    const files: Record<string, Uint8Array> = {}
    beforeAll(async () => {
      files['/files/picture'] = await picture().png().toBuffer()
      files['/files/film'] = await film()
      files['/files/sound'] = wav
      await stub.start()
      site = await Site.open({ environment: vendor.environment(stub.url) })
      stub.answer = (response, seen) => {
        const file = files[seen.path]
        if (file) return play === 'loses the file' ? response.writeHead(403).end() : response.writeHead(200).end(file)
        const submits = vendor.submits(seen)
        if (submits && play === 'throttles once' && !throttled) {
          throttled = true
          return response.writeHead(429, { 'retry-after': '0' }).end('{}')
        }
        looks = submits ? 0 : looks + 1
        const scene = { play, looks, file: (kind: string) => `${stub.url}/files/${kind}`, sound: mp3 }
        const { status, headers, json, body } = vendor.reply(seen, scene) ?? { status: 404, json: {} }
        const text = json === undefined ? '' : JSON.stringify(json)
        response.writeHead(status ?? 200, { 'content-type': 'application/json', ...headers }).end(body ?? text)
      }
    })
    afterAll(async () => {
      await site.close()
      await stub.stop()
    })

    interface Asked {
      caller: Caller
      id: string
      /** What the account had paid before. */
      paid_usd: string
    }

    async function submit(work: Work, next: Play): Promise<Asked> {
      const caller = await site.caller('20')
      const { path, paid_usd } = work.after
        ? await before(caller, work.path, work.after)
        : { ...work, paid_usd: NOTHING }
      play = next
      looks = 0
      throttled = false
      stub.seen.length = 0
      return { caller, id: await post(caller, path, work.body), paid_usd }
    }

    async function before(caller: Caller, path: string, { path: first, body }: { path: string; body: object }) {
      play = 'makes it'
      const id = await post(caller, first, body)
      const { billing } = await when({ caller, id })
      return { path: path.replace('{id}', id), paid_usd: billing.cost_usd ?? NOTHING }
    }

    async function post(caller: Caller, path: string, body: object): Promise<string> {
      const accepted = await caller.send(path, body, { headers: { prefer: 'respond-async' } })
      expect(accepted.text).toContain('"queued"')
      return accepted.json.id
    }

    /** The vendors ask for seconds between looks; nobody waits for them here. */
    async function hurry(): Promise<void> {
      const at = new Date()
      await site.services.store.jobs.updateMany({ poll_at: { $gt: at } }, { $set: { poll_at: at } })
      // A file that does not come is asked for during a quarter of an hour: it is over.
      await site.services.store.jobs.updateMany(
        { 'made.at': { $gt: new Date(0) }, decision: null } as never,
        { $set: { 'made.at': new Date(0) } } as never,
      )
      site.services.wake(at)
    }

    const when = ({ caller, id }: Pick<Asked, 'caller' | 'id'>, wanted: (job: Job) => boolean = ended) =>
      eventually(async () => {
        await hurry()
        return caller.job(id)
      }, wanted)

    const free = async ({ caller, paid_usd }: Asked) =>
      expect(await caller.credits()).toMatchObject({ held_usd: NOTHING, settled_usd: paid_usd })

    const submitted = () => stub.seen.find((seen) => vendor.submits(seen))
    const never = new Set(vendor.never)
    const can = (...plays: Play[]) => plays.filter((each) => !never.has(each))

    describe.each(works.map((work) => [work.what, work] as const))('%s', (_what, work) => {
      it('is made, kept and charged at its price, and was asked for in the vendor’s own words', async () => {
        const asked = await submit(work, 'makes it')
        const job = await when(asked)
        expect(job.error).toBeNull()
        expect(job).toMatchObject({ status: 'completed', billing: { status: 'settled', cost_usd: work.cost_usd } })
        expect(Number(job.billing.hold_usd)).toBeGreaterThanOrEqual(Number(work.cost_usd))
        const output = await asked.caller.request(job.outputs[0]?.url ?? '')
        expect(output.headers.get('content-type')).toBe(work.media_type)
        expect((await output.arrayBuffer()).byteLength).toBe(job.outputs[0]?.bytes)
        const sent = submitted()
        expect(sent?.path).toBe(work.sent.path)
        expect(sent && json(sent)).toEqual(work.sent.body)
        if (work.sent.headers) expect(sent?.headers).toMatchObject(work.sent.headers)
        const paid_usd = (Number(asked.paid_usd) + Number(work.cost_usd)).toFixed(9)
        expect(await asked.caller.credits()).toMatchObject({ held_usd: NOTHING, settled_usd: paid_usd })
      })

      it.each(can('refuses the content', 'refuses the content at once'))('is free when the vendor %s', async (how) => {
        const asked = await submit(work, how)
        const job = await when(asked)
        expect(job).toMatchObject({ status: 'failed', error: { code: 'content_policy_violation' } })
        expect(job.error?.message).not.toMatch(/https?:|127\.0\.0\.1/)
        await free(asked)
      })

      it.each(can('fails', 'is out of credit'))('is free when the vendor %s', async (how) => {
        const asked = await submit(work, how)
        const job = await when(asked)
        expect(job).toMatchObject({ status: 'failed', error: { code: 'provider_error' } })
        if (how === 'is out of credit') expect(job.attempts.at(-1)?.outcome).toBe('quota')
        await free(asked)
      })

      it.skipIf(never.has('loses the file'))(
        'is free when its file does not come within a quarter of an hour',
        async () => {
          const asked = await submit(work, 'loses the file')
          const at = new Date(Date.now() - FETCH_MS)
          const job = await eventually(async () => {
            await site.services.store.jobs.updateOne(
              { _id: asked.id, made: { $exists: true } },
              { $set: { 'made.at': at } },
            )
            await hurry()
            return asked.caller.job(asked.id)
          }, ended)
          expect(job).toMatchObject({ status: 'failed', error: { code: 'provider_error' } })
          await free(asked)
        },
      )

      it('is asked for again when the vendor wants a moment', async () => {
        const job = await when(await submit(work, 'throttles once'))
        expect(job).toMatchObject({ status: 'completed', billing: { cost_usd: work.cost_usd } })
        expect(job.attempts.map(({ outcome }) => outcome)).toEqual(['rate_limit', 'completed'])
      })

      it.skipIf(work.at_once)('is free when it is canceled under way, and the vendor is told', async () => {
        const asked = await submit(work, 'never ends')
        await when(asked, (job) => job.status === 'in_progress' && looks > 0)
        const [job] = await Promise.all([when(asked), asked.caller.json(`/v1/jobs/${asked.id}/cancel`, {})])
        expect(job).toMatchObject({ status: 'canceled', billing: { status: 'released' } })
        await free(asked)
        const { cancels } = vendor
        if (cancels)
          await eventually(
            async () => stub.seen.some((seen) => cancels(seen)),
            (told) => told,
          )
      })

      it.skipIf(work.at_once)('is free when its time is over, and is looked at once more before', async () => {
        const asked = await submit(work, 'never ends')
        await when(asked, (job) => job.status === 'in_progress' && looks > 0)
        await eventually(
          () => recordOf(site, asked.id),
          ({ ref }) => ref !== null,
        )
        const deadline = new Date(Date.now() - 1)
        await site.services.store.jobs.updateOne({ _id: asked.id }, { $set: { deadline } })
        expect(await when(asked)).toMatchObject({ status: 'expired', billing: { status: 'released' } })
        await free(asked)
      })
    })

    it('left every account with what its entries say', async () => {
      expect(await site.verify()).toMatchObject({ ok: true, drift: [] })
    })
  })
}
