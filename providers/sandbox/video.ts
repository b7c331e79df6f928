// The sandbox's films: accepted at once, ready some 3 s later as a function of time. The whole work is in `ref`, so any
// router can answer for it after a restart.

import { z } from 'zod'
import {
  type Asset,
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
import type { Clip, ClipPlan, Clips, Scene } from './clips.ts'
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
  '720x720': '720p',
  '1080x1920': '1080p',
  '1920x1080': '1080p',
}
const TAKEN = ['first_frame', 'last_frame', 'references', 'audio', 'seed', 'change']
const MOST_REFERENCES = 4
/** Of an extended film; each second is a frame to draw and encode. */
const LONGEST_SECONDS = 60
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

const SceneRef = z.object({
  words: z.string(),
  seconds: z.number(),
  seed: z.string().exactOptional(),
  first_frame: z.string().exactOptional(),
  last_frame: z.string().exactOptional(),
  references: z.array(z.string()).exactOptional(),
  note: z.string().exactOptional(),
})
const Ref = z.object({
  scenes: z.array(SceneRef).min(1),
  /** What is charged: of an extended film the new part alone. */
  seconds: z.number(),
  size: z.string(),
  submitted_at: z.number(),
  ready_at: z.number(),
  fail: z.enum(Object.keys(ERROR_KINDS) as [ErrorKind, ...ErrorKind[]]).exactOptional(),
})
type Ref = z.infer<typeof Ref>

/** `now` tells the time in milliseconds. */
export function sandboxVideo(firstTime: FirstTime, clips: Clips, now = Date.now): Generator<VideoRequest, VideoOutput> {
  return {
    takes: TAKEN,
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
        scenes: await scenesOf(request, orders.text),
        seconds,
        size,
        submitted_at,
        ready_at: submitted_at + READY_AFTER_MS + orders.delay_ms,
        ...(fail === undefined ? {} : { fail }),
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
      const clip = takeFrom(clips, ref)
      if (clip === undefined) return pending(kept, 99, POLL_AFTER_MS)
      const { film, thumbnail, spritesheet } = clip
      return done(
        {
          video: { type: 'bytes', data: film, media_type: 'video/mp4' },
          thumbnail: { type: 'bytes', data: thumbnail, media_type: 'image/webp' },
          spritesheet: { type: 'bytes', data: spritesheet, media_type: 'image/jpeg' },
        },
        usageOf(ref.seconds, ref.size, 'reported'),
      )
    },
    // Nothing runs at the sandbox that could be stopped: whoever cancels simply asks no more.
    async cancel() {},
  }
}

function checked(request: VideoRequest): { seconds: number; size: string; orders: Orders } {
  const { change, audio, references = [] } = request
  if (audio === true) throw refusal('audio', 'its films have no sound, leave it out')
  if (references.length > MOST_REFERENCES) throw refusal('references', `send at most ${MOST_REFERENCES} pictures`)
  const size = requireOneOf('size', request.size ?? DEFAULT_SIZE, Object.keys(RESOLUTIONS))
  const orders = readOrders(request.prompt, { param: 'prompt' })
  if (!change) return { seconds: requireOneOf('seconds', request.seconds, SECONDS), size, orders }
  const earlier = Ref.safeParse(change.ref)
  if (!earlier.success) throw refusal('id', 'it is no film of the sandbox')
  const before = lengthOf(earlier.data.scenes)
  if (change.mode === 'remix') return { seconds: before, size: earlier.data.size, orders }
  const seconds = requireOneOf('seconds', request.seconds, SECONDS)
  if (before + seconds > LONGEST_SECONDS) throw refusal('seconds', `a film has at most ${LONGEST_SECONDS} s in all`)
  return { seconds, size: earlier.data.size, orders }
}

const lengthOf = (scenes: { seconds: number }[]): number => scenes.reduce((sum, { seconds }) => sum + seconds, 0)

/** A remix keeps the landscape and says something else in it; an extension goes on where the film ended. */
async function scenesOf(request: VideoRequest, words: string): Promise<Scene[]> {
  const { seconds, seed, first_frame, last_frame, references, change } = request
  if (!change) {
    const pictures = await Promise.all((references ?? []).map((each) => thumbnail(each, 'references')))
    const scene = {
      words,
      seconds,
      ...(seed !== undefined && { seed: `${words} ${seed}` }),
      ...(first_frame && { first_frame: await thumbnail(first_frame, 'input_reference') }),
      ...(last_frame && { last_frame: await thumbnail(last_frame, 'last_frame') }),
      ...(references && { references: pictures }),
    }
    return [scene]
  }
  const { scenes } = Ref.parse(change.ref)
  if (change.mode === 'remix') {
    return scenes.map((scene) => ({ ...scene, seed: scene.seed ?? scene.words, words, note: 'sandbox, remixed' }))
  }
  const { seed: before, words: said } = scenes.at(-1) ?? { words, seed: words }
  return [...scenes, { words, seconds, seed: `${before ?? said}, later`, note: 'sandbox, extended' }]
}

const usageOf = (seconds: number, size: string, source: Usage['source']): Usage => ({
  meters: { video_seconds: seconds },
  attributes: { size, resolution: RESOLUTIONS[size] ?? '' },
  source,
})

function planOf({ scenes, size }: Ref): ClipPlan {
  const [width = 0, height = 0] = size.split('x').map(Number)
  return { scenes, width, height }
}

function takeFrom(clips: Clips, ref: Ref): Clip | undefined {
  try {
    return clips.take(planOf(ref))
  } catch (cause) {
    throw new ProviderError('internal', 'The sandbox could not encode the film.', { cause })
  }
}

/** Small enough to be kept in the job's `ref`: some 3 kB. */
async function thumbnail(asset: Asset, field: string): Promise<string> {
  const data = requireBytes(field, asset)
  try {
    const picture = sharp(data, { limitInputPixels: MOST_INPUT_PIXELS, failOn: 'error' }).autoOrient()
    return (await picture.resize(256, 256, { fit: 'inside' }).webp({ quality: 60 }).toBuffer()).toString('base64')
  } catch (cause) {
    throw refusal(field, 'it cannot be read, send a whole PNG, JPEG or WebP file', cause)
  }
}
