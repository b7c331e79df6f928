// The adapter of the scale run's vendors: films that are submitted, polled and fetched by address.
import { z } from 'zod'
import {
  type Call,
  defineProvider,
  done,
  failed,
  type Generator,
  type Json,
  type Progress,
  ProviderError,
  type ProviderFetch,
  pending,
  type VideoOutput,
  type VideoRequest,
} from '../../src/contract.ts'
import { httpError } from '../../src/protocols/status.ts'
import { readBody } from '../../src/protocols/transport.ts'
import type { Vendor } from './vendors.ts'

const State = z.object({ id: z.string(), status: z.string(), percent: z.number(), file: z.string() })
const Ref = z.object({ id: z.string(), seconds: z.number() })
const BODY_BYTES_MAX = 65_536

/** What its adapter must know of a vendor. */
export type FilmVendor = Pick<Vendor, 'id' | 'polls_per_second' | 'lost_answer'>

export const vendorProvider = (vendor: FilmVendor) =>
  defineProvider({
    contract: 1,
    name: vendor.id,
    docs: 'https://example.com',
    settings: z.object({ base_url: z.url() }),
    polls_per_second: vendor.polls_per_second,
    connect: ({ base_url }, { fetch }) => ({ video: films(vendor, base_url, fetch) }),
  })

function films(vendor: FilmVendor, base_url: string, fetch: ProviderFetch): Generator<VideoRequest, VideoOutput> {
  async function ask(
    call: Call,
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: object,
  ): Promise<Json | undefined> {
    const answer = await fetch.send({
      method,
      url: `${base_url}${path}`,
      headers: { 'content-type': 'application/json' },
      signal: call.signal,
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = (await readBody(answer, BODY_BYTES_MAX)).toString()
    if (answer.status === 404 && path.startsWith('/find/')) return undefined
    if (answer.status >= 300) throw httpError(answer.status, answer.headers, text, vendor.id)
    return JSON.parse(text) as Json
  }

  function progressOf(answer: Json | undefined, seconds: number): Progress<VideoOutput> {
    const { id, status, percent, file } = State.parse(answer)
    if (status === 'failed') return failed(new ProviderError('unavailable', `${vendor.id} could not make the film.`))
    if (status !== 'done') return pending({ id, seconds }, percent)
    const video = { type: 'url' as const, url: `${base_url}${file}` }
    return done({ video }, { meters: { video_seconds: seconds, videos: 1 }, source: 'reported' })
  }

  const generator: Generator<VideoRequest, VideoOutput> = {
    start: async ({ seconds }, call) => progressOf(await ask(call, 'POST', '/films', { job: call.job }), seconds),
    async poll(ref, call) {
      const { id, seconds } = Ref.parse(ref)
      return progressOf(await ask(call, 'GET', `/films/${id}`), seconds)
    },
    async cancel(ref, call) {
      await ask(call, 'DELETE', `/films/${Ref.parse(ref).id}`)
    },
  }
  if (vendor.lost_answer === 'repeatable') return { ...generator, repeatable: true }
  if (vendor.lost_answer === 'unknown') return generator
  return {
    ...generator,
    async find(call) {
      const answer = await ask(call, 'GET', `/find/${call.job}`)
      return answer === undefined ? undefined : progressOf(answer, SECONDS)
    },
  }
}

/** All films of the run have the same length, so that one that is found again needs no more than its id. */
export const SECONDS = 4
