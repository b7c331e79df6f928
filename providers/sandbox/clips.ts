// Films being encoded and films lately encoded. Equal films are encoded once, whoever asked; one at a time, off the
// main thread. Nothing here needs to survive a restart: the same plan gives the same film again.
import { createHash } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { LRUCache } from 'lru-cache'
import { createGate } from './gate.ts'

/** A part of a film with a landscape of its own. Pictures are small, as base64. */
export interface Scene {
  words: string
  seconds: number
  /** Colours and hills follow from it; from the words if absent. */
  seed?: string
  /** Behind the first half, or the whole where there is no last one. */
  first_frame?: string
  last_frame?: string
  /** Shown in a row above the landscape. */
  references?: string[]
  /** Small print: what this part is. */
  note?: string
}

export interface ClipPlan {
  width: number
  height: number
  /** One after the other. */
  scenes: Scene[]
}

export interface Clip {
  /** H.264 in MP4. */
  film: Uint8Array
  /** WebP. */
  thumbnail: Uint8Array
  /** JPEG: a tile for each second. */
  spritesheet: Uint8Array
}

export interface Clips {
  /** The film, or undefined while it is being made; asking sets it going. Throws the error that ended the encoding. */
  take(plan: ClipPlan): Clip | undefined
}

const MOST_KEPT = 64

export function createClips(encode: (plan: ClipPlan) => Promise<Clip> = encodeInThread): Clips {
  const encoding = createGate(1)
  const under_way = new Set<string>()
  const finished = new LRUCache<string, { clip: Clip } | { error: unknown }>({ max: MOST_KEPT })

  async function make(key: string, plan: ClipPlan): Promise<void> {
    under_way.add(key)
    try {
      finished.set(key, { clip: await encoding(() => encode(plan)) })
    } catch (error) {
      finished.set(key, { error })
    } finally {
      under_way.delete(key)
    }
  }

  return {
    take(plan) {
      const key = createHash('sha256').update(JSON.stringify(plan)).digest('base64')
      const ended = finished.get(key)
      if (ended === undefined) {
        if (!under_way.has(key)) void make(key, plan)
        return undefined
      }
      if ('clip' in ended) return ended.clip
      // Forgotten, so that the next one to ask tries again.
      finished.delete(key)
      throw ended.error
    },
  }
}

/** A thread a film: its memory, some 100 MB of WebAssembly, goes with it. */
function encodeInThread(plan: ClipPlan): Promise<Clip> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./clip-worker.ts', import.meta.url), { workerData: plan })
    // A film that nobody waits for any more must not keep the process alive.
    worker.unref()
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`The film's thread ended with code ${code} and no film.`)))
  })
}
