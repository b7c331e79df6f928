/** The documents of one collection that were changed last, kept in memory because they are likely to be changed again. */
import type { StoredDocument } from './stored.ts'

const max_documents = 512
const max_bytes = 4 * 1024 * 1024

export class Shelf {
  /** The one used longest ago comes first. */
  readonly #by_id = new Map<string, { stored: StoredDocument; length: number }>()
  readonly #by_row = new Map<number, StoredDocument>()
  #bytes = 0

  byId(id_text: string): StoredDocument | undefined {
    return this.#by_id.get(id_text)?.stored
  }

  byRow(row: number): StoredDocument | undefined {
    return this.#by_row.get(row)
  }

  /** Puts it in front of all others; answers what has to leave for it, which is itself if it is too large. */
  keep(stored: StoredDocument): StoredDocument[] {
    const { id_text, row, length } = stored
    this.remove(stored)
    this.#by_id.set(id_text, { stored, length })
    this.#by_row.set(row, stored)
    this.#bytes += length
    const leaving: StoredDocument[] = []
    for (const oldest of this.#by_id.values()) {
      if (this.#by_id.size <= max_documents && this.#bytes <= max_bytes) break
      this.remove(oldest.stored)
      leaving.push(oldest.stored)
    }
    return leaving
  }

  clear(): void {
    this.#by_id.clear()
    this.#by_row.clear()
    this.#bytes = 0
  }

  remove({ id_text, row }: StoredDocument): void {
    const kept = this.#by_id.get(id_text)
    if (kept === undefined) return
    this.#by_id.delete(id_text)
    this.#by_row.delete(row)
    this.#bytes -= kept.length
  }
}
