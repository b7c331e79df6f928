/** Open cursors: what find and aggregate leave for getMore. They hold a position, never an open statement. */
import { randomBytes } from 'node:crypto'
import { encodeCursor } from './encode.ts'
import { CommandError } from './errors.ts'

/** Where a cursor's documents come from, as BSON. */
export interface DocumentSource {
  next(): Buffer | undefined
  pause(): void
}

type Cursor = { id: bigint; namespace: string; source: DocumentSource; ahead: Buffer; used_at: number }

const idle_ms = 600_000
const max_batch_bytes = 16 * 1024 * 1024

export class Cursors {
  readonly #cursors = new Map<bigint, Cursor>()

  /** The first answer; a cursor stays open if there is more and `single` does not forbid it. */
  open(namespace: string, source: DocumentSource, batch_size: number, single: boolean): Buffer {
    const { batch, ahead } = fill(source, undefined, batch_size)
    if (ahead === undefined || single) return encodeCursor('firstBatch', batch, 0n, namespace)
    const id = (randomBytes(8).readBigUInt64LE() >> 1n) | 1n
    this.#cursors.set(id, { id, namespace, source, ahead, used_at: Date.now() })
    return encodeCursor('firstBatch', batch, id, namespace)
  }

  /** Throws CursorNotFound for one that is finished, killed or idle for ten minutes. */
  next(id: bigint, namespace: string, batch_size: number): Buffer {
    const cursor = this.#cursors.get(id)
    if (cursor === undefined || cursor.namespace !== namespace) {
      throw new CommandError('CursorNotFound', `cursor id ${id} not found`)
    }
    this.#cursors.delete(id)
    const { batch, ahead } = fill(cursor.source, cursor.ahead, batch_size)
    if (ahead === undefined) return encodeCursor('nextBatch', batch, 0n, namespace)
    this.#cursors.set(id, { ...cursor, ahead, used_at: Date.now() })
    return encodeCursor('nextBatch', batch, id, namespace)
  }

  kill(id: bigint): boolean {
    return this.#cursors.delete(id)
  }

  /** Ends the cursors of a collection that goes, or of all when an undone transaction took their tables. */
  killAll(namespace?: string): void {
    for (const cursor of this.#cursors.values()) {
      if (namespace === undefined || cursor.namespace === namespace) this.#cursors.delete(cursor.id)
    }
  }

  endIdle(now: number): void {
    for (const cursor of this.#cursors.values()) {
      if (now - cursor.used_at > idle_ms) this.#cursors.delete(cursor.id)
    }
  }
}

/** One document is read ahead, so that the last batch says that it is the last. */
function fill(
  source: DocumentSource,
  first: Buffer | undefined,
  batch_size: number,
): { batch: Buffer[]; ahead: Buffer | undefined } {
  try {
    const batch: Buffer[] = []
    let bytes = 0
    let ahead = first ?? source.next()
    while (ahead !== undefined && batch.length < batch_size) {
      if (batch.length > 0 && bytes + ahead.length > max_batch_bytes) break
      bytes += ahead.length
      batch.push(ahead)
      ahead = source.next()
    }
    return { batch, ahead }
  } finally {
    source.pause()
  }
}
