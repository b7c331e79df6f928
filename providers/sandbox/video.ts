// The sandbox's films: accepted at once, ready some 3 s later as a function of time. The whole work is in `ref`, so any
// router can answer for it after a restart.

import { z } from 'zod'
import {
  done,
  ERROR_KINDS,
  type ErrorKind,
  failed,
  type Generator,
  ProviderError,
  pending,
  type Usage,
  type VideoOutput,
  type VideoRequest,
} from '../../src/contract.ts'
import type { ClipPlan, Clips } from './clips.ts'
import { type FirstTime, failIfOrdered, type Orders, orderedFailure, readOrders } from './orders.ts'
import { throwIfCanceled } from './pause.ts'
import { refusal, requireBytes, requireOneOf } from './refusal.ts'
import { sharp } from './sharp.ts'

const READY_AFTER_MS = 3000
const POLL_AFTER_MS = 500
const SECONDS = [4, 8, 12] as const
const DEFAULT_SIZE = '720x1280'
const RESOLUTIONS: Record<string, string> = {
  '720x1280': '720p',
  '1280x720': '720p',
  '1024x1792': '1024p',
  '1792x1024': '1024p',
}
/** Kinds that a provider says at submission; the others are accepted and fail when the film would be ready. */
const REFUSED_AT_START: ErrorKind[] = [
  'invalid_request',
  'content_policy',
  'authentication',
  'permission',
  'not_found',
  'quota',
  'rate_limit',
  'overloaded',
]
const MOST_INPUT_PIXELS = 50_000_000

const Ref = z.object({
  words: z.string(),
  seconds: z.number(),
  size: z.string(),
  submitted_at: z.number(),
  ready_at: z.number(),
  fail: z.enum(Object.keys(ERROR_KINDS) as [ErrorKind, ...ErrorKind[]]).exactOptional(),
  first_frame: z.string().exactOptional(),
})
type Ref = z.infer<typeof Ref>

/** `now` tells the time in milliseconds. */
export function sandboxVideo(firstTime: FirstTime, clips: Clips, now = Date.now): Generator<VideoRequest, VideoOutput> {
  return {
    takes: ['first_frame'],
    estimate: (request) => {
      const { seconds, size } = checked(request)
      return usageOf(seconds, size, 'estimated')
    },
    async start(request, call) {
      const { seconds, size, orders } = checked(request)
      throwIfCanceled(call.signal)
      failIfOrdered(
        orders.fails.filter(({ kind, once }) => once || REFUSED_AT_START.includes(kind)),
        call,
        firstTime,
      )
      const fail = orders.fails.find(({ once }) => !once)?.kind
      const submitted_at = now()
      const ref: Ref = {
        words: orders.text,
        seconds,
        size,
        submitted_at,
        ready_at: submitted_at + READY_AFTER_MS + orders.delay_ms,
        ...(fail === undefined ? {} : { fail }),
        ...(request.first_frame === undefined ? {} : { first_frame: await thumbnail(request.first_frame) }),
      }
      // Begun now, so that it is encoded by the time it is due.
      if (fail === undefined) clips.take(planOf(ref))
      return pending(ref, 0, POLL_AFTER_MS)
    },
    async poll(kept) {
      const ref = Ref.parse(kept)
      const time = now()
      if (time < ref.ready_at) {
        const share = (time - ref.submitted_at) / (ref.ready_at - ref.submitted_at)
        return pending(kept, Math.min(99, Math.max(0, Math.floor(share * 100))), POLL_AFTER_MS)
      }
      if (ref.fail !== undefined) return failed(orderedFailure(ref.fail))
      const file = takeFrom(clips, ref)
      if (file === undefined) return pending(kept, 99, POLL_AFTER_MS)
      return done(
        { video: { type: 'bytes', data: file, media_type: 'video/mp4' } },
        usageOf(ref.seconds, ref.size, 'reported'),
      )
    },
    // Nothing runs at the sandbox that could be stopped: whoever cancels simply asks no more.
    async cancel() {},
  }
}

function checked(request: VideoRequest): { seconds: number; size: string; orders: Orders } {
  return {
    seconds: requireOneOf('seconds', request.seconds, SECONDS),
    size: requireOneOf('size', request.size ?? DEFAULT_SIZE, Object.keys(RESOLUTIONS)),
    orders: readOrders(request.prompt, { param: 'prompt' }),
  }
}

const usageOf = (seconds: number, size: string, source: Usage['source']): Usage => ({
  meters: { video_seconds: seconds },
  attributes: { size, resolution: RESOLUTIONS[size] ?? '' },
  source,
})

function planOf({ words, seconds, size, first_frame }: Ref): ClipPlan {
  const [width = 0, height = 0] = size.split('x').map(Number)
  return { words, seconds, width, height, ...(first_frame === undefined ? {} : { first_frame }) }
}

function takeFrom(clips: Clips, ref: Ref): Uint8Array | undefined {
  try {
    return clips.take(planOf(ref))
  } catch (cause) {
    throw new ProviderError('internal', 'The sandbox could not encode the film.', { cause })
  }
}

/** Small enough to be kept in the job's `ref`: some 3 kB. */
async function thumbnail(first_frame: NonNullable<VideoRequest['first_frame']>): Promise<string> {
  const data = requireBytes('input_reference', first_frame)
  try {
    const picture = sharp(data, { limitInputPixels: MOST_INPUT_PIXELS, failOn: 'error' }).autoOrient()
    return (await picture.resize(256, 256, { fit: 'inside' }).webp({ quality: 60 }).toBuffer()).toString('base64')
  } catch (cause) {
    throw refusal('input_reference', 'it cannot be read, send a whole PNG, JPEG or WebP file', cause)
  }
}
