// A picture provider of a test's own: it hands every call to the test's stub and answers what that answers, as is.
import {
  type Call,
  done,
  failed,
  type ImageGenerator,
  type ImageRequest,
  type Json,
  ProviderError,
  type ProviderFetch,
  pending,
  type Usage,
} from '../../src/contract.ts'

export type Told =
  | { status: 'done'; images: { b64?: string; url?: string; media_type?: string }[]; usage?: Usage }
  | { status: 'pending'; ref: Json; percent?: number }
  | { status: 'failed'; kind: 'content_policy' | 'unavailable' | 'overloaded' }

/** What the stub is sent; files as base64. */
export interface Painted extends Omit<ImageRequest, 'images' | 'mask'> {
  job: string
  upstream: string
  images: string[]
  mask?: string
}

export function painter(
  { base_url, fetch }: { base_url: string; fetch: ProviderFetch },
  more: Pick<ImageGenerator, 'mask' | 'takes'>,
): ImageGenerator {
  const ask = async (path: string, body: unknown, call: Call) => {
    const init = { method: 'POST', body: JSON.stringify(body), signal: call.signal }
    const answer = await fetch(`${base_url}${path}`, init)
    const told = (await answer.json()) as Told
    if (answer.ok) return progressOf(told)
    const kind = told.status === 'failed' ? told.kind : 'unavailable'
    throw new ProviderError(kind, 'The painter would not.')
  }
  return {
    ...more,
    most_at_once: (_upstream, { most }) => Number(most ?? 10),
    start: ({ images = [], mask, ...request }, call) =>
      ask(
        '/start',
        { ...request, job: call.job, images: images.map(base64), ...(mask && { mask: base64(mask) }) },
        call,
      ),
    poll: (ref, call) => ask('/poll', { ref, job: call.job }, call),
    cancel: async (ref, call) => {
      await fetch(`${base_url}/cancel`, { method: 'POST', body: JSON.stringify({ ref, job: call.job }) })
    },
  }
}

const base64 = (asset: NonNullable<ImageRequest['mask']>): string =>
  asset.type === 'bytes' ? Buffer.from(asset.data).toString('base64') : asset.url

function progressOf(told: Told) {
  if (told.status === 'pending') return pending(told.ref, told.percent, 20)
  if (told.status === 'failed') return failed(new ProviderError(told.kind, 'The painter could not.'))
  const images = told.images.map(({ b64, url, media_type = 'image/png' }) => ({
    image:
      url === undefined
        ? { type: 'bytes' as const, data: Buffer.from(b64 ?? '', 'base64'), media_type }
        : { type: 'url' as const, url },
  }))
  return done({ images }, told.usage ?? { meters: { images: images.length, requests: 1 }, source: 'counted' })
}
