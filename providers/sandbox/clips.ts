// Films being encoded and films lately encoded. Equal films are encoded once, whoever asked; one at a time, off the
// main thread. Nothing here needs to survive a restart: the same plan gives the same film again.
import { createHash } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { LRUCache } from 'lru-cache'
import { createGate } from './gate.ts'

export interface ClipPlan {
  words: string
  seconds: number
  width: number
  height: number
  /** A small picture to begin from, as base64. */
  first_frame?: string
}

export interface Clips {
  /** The film, or undefined while it is being made; asking sets it going. Throws the error that ended the encoding. */
  take(plan: ClipPlan): Uint8Array | undefined
}

const MOST_KEPT = 64

export function createClips(encode: (plan: ClipPlan) => Promise<Uint8Array> = encodeInThread): Clips {
  const encoding = createGate(1)
  const under_way = new Set<string>()
  const finished = new LRUCache<string, { file: Uint8Array } | { error: unknown }>({ max: MOST_KEPT })

  async function make(key: string, plan: ClipPlan): Promise<void> {
    under_way.add(key)
    try {
      finished.set(key, { file: await encoding(() => encode(plan)) })
    } catch (error) {
      finished.set(key, { error })
    } finally {
      under_way.delete(key)
    }
  }

  return {
    take(plan) {
      const { words, seconds, width, height, first_frame = null } = plan
      const key = createHash('sha256')
        .update(JSON.stringify([words, seconds, width, height, first_frame]))
        .digest('base64')
      const clip = finished.get(key)
      if (clip === undefined) {
        if (!under_way.has(key)) void make(key, plan)
        return undefined
      }
      if ('file' in clip) return clip.file
      // Forgotten, so that the next one to ask tries again.
      finished.delete(key)
      throw clip.error
    },
  }
}

/** A thread a film: its memory, some 100 MB of WebAssembly, goes with it. */
function encodeInThread(plan: ClipPlan): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./clip-worker.ts', import.meta.url), { workerData: plan })
    // A film that nobody waits for any more must not keep the process alive.
    worker.unref()
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`The film's thread ended with code ${code} and no film.`)))
  })
}
