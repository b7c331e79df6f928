/**
 * One stored document in memory: its bytes, the fields decoded so far, and what has changed since the bytes were made. A
 * field that nobody asks for is never decoded, and is copied as bytes. It knows no tables and no indexes.
 */
import { buildDocument, writeElements, writeField } from './bson_writer.ts'
import { decodeValue, eachElement } from './decode.ts'
import { sameValue } from './same.ts'
import type { Replacement, Update } from './update.ts'
import { type Document, setField } from './values.ts'

/** Where a top-level field lies in the bytes. */
type Element = { type: number; start: number; value_start: number; end: number }

export class StoredDocument {
  readonly row: number
  /** The key of its `_id`, as text. */
  readonly id_text: string
  #bytes: Buffer
  /** The fields of the bytes in their order, without those removed since; made when first needed. */
  #elements: Map<string, Element> | undefined
  #values: Document = {}
  #changed = new Set<string>()
  /** What has been done to it since the bytes were made, so that it can be done again. */
  #updates: Update[] = []
  #length_max: number

  /** The bytes are kept: they must not be part of anything larger. */
  constructor(row: number, id_text: string, bytes: Buffer) {
    this.row = row
    this.id_text = id_text
    this.#bytes = bytes
    this.#length_max = bytes.length
  }

  get is_changed(): boolean {
    return this.#updates.length > 0
  }

  /** How long the bytes were when they were made. */
  get length(): number {
    return this.#bytes.length
  }

  /** No BSON of it can be longer than this. */
  get length_max(): number {
    return this.#length_max
  }

  /** A document with at least these of its fields, in any order. Not to be changed; the next `apply` does change it. */
  with(fields: Iterable<string>): Document {
    for (const name of fields) this.#decode(name)
    return this.#values
  }

  /** All of it, its fields in their order. Not to be changed; what is inside of it changes with the next `apply`. */
  whole(): Document {
    const document: Document = {}
    for (const name of this.#fields().keys()) {
      this.#decode(name)
      setField(document, name, this.#values[name])
    }
    for (const name of this.#newNames()) setField(document, name, this.#values[name])
    return document
  }

  /** Answers whether the update made a difference. If it did, `keep` follows or `takeBack`; after a throw, `takeBack`. */
  apply(update: Update): boolean {
    if (update.replacement) return this.#replace(update)
    // Its refusals name the document.
    this.#decode('_id')
    if (!update.apply(this.with(update.heads), false)) return false
    const elements = this.#fields()
    for (const name of update.heads) {
      this.#changed.add(name)
      // Should it come again, it comes last.
      if (!Object.hasOwn(this.#values, name)) elements.delete(name)
    }
    return true
  }

  /** Makes the last `apply` stand. */
  keep(update: Update): void {
    this.#updates.push(update)
    this.#length_max += update.growth_max
  }

  /** Goes back to what was kept. */
  takeBack(): void {
    this.#values = {}
    this.#elements = undefined
    this.#changed.clear()
    for (const update of this.#updates) this.apply(update)
  }

  /** As it is now. */
  encode(): Buffer {
    if (this.#changed.size === 0) return this.#bytes
    return buildDocument(() => {
      const elements = this.#fields()
      for (const [name, { start, end }] of elements) {
        if (this.#changed.has(name)) writeField(name, this.#values[name], true)
        else writeElements(this.#bytes, start, end)
      }
      for (const name of this.#newNames()) writeField(name, this.#values[name], true)
    })
  }

  /** Encodes what has changed; from here on these bytes are what it is. */
  settle(): Buffer {
    if (!this.is_changed) return this.#bytes
    this.#bytes = this.encode()
    this.#length_max = this.#bytes.length
    this.#elements = undefined
    this.#changed.clear()
    this.#updates = []
    return this.#bytes
  }

  #replace(update: Replacement): boolean {
    const before = this.whole()
    const after = update.make(before)
    if (sameValue(before, after)) return false
    for (const name of Object.keys(before)) this.#changed.add(name)
    this.#values = after
    this.#elements = new Map()
    return true
  }

  #decode(name: string): void {
    if (Object.hasOwn(this.#values, name)) return
    const element = this.#fields().get(name)
    if (element !== undefined) setField(this.#values, name, decodeValue(this.#bytes, element.type, element.value_start))
  }

  *#newNames(): Generator<string> {
    const elements = this.#fields()
    for (const name of Object.keys(this.#values)) if (!elements.has(name)) yield name
  }

  #fields(): Map<string, Element> {
    if (this.#elements !== undefined) return this.#elements
    const elements = new Map<string, Element>()
    eachElement(this.#bytes, (name, type, start, value_start, end) => {
      elements.set(name, { type, start, value_start, end })
    })
    this.#elements = elements
    return elements
  }
}
