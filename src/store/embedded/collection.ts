/**
 * One collection: a sqlite table of BSON blobs with `_id` unique, and its index tables. It keeps the entries of every
 * index in step with the documents; finding documents is the planner's and the scan's work.
 */
import { decodeDocument } from './decode.ts'
import { describe } from './describe.ts'
import { withIdFirst } from './document_id.ts'
import { encodeDocument, max_document_bytes } from './encode.ts'
import { CommandError } from './errors.ts'
import { entriesOf } from './index_entries.ts'
import { type Index, idIndex } from './index_spec.ts'
import { encodeKey } from './keys.ts'
import { expandedValues } from './paths.ts'
import { bufferOf, type Storage } from './storage.ts'
import type { Document } from './values.ts'

export class Collection {
  readonly id: number
  readonly database: string
  readonly name: string
  readonly table: string
  /** The first is the one on `_id`. */
  #indexes: readonly Index[]
  /** The top-level fields that any index but the first reads. */
  #heads: ReadonlySet<string> = new Set()
  readonly #storage: Storage
  readonly #sql: { insert: string; replace: string; remove: string; by_id: string }
  #count: number | undefined

  constructor(storage: Storage, id: number, database: string, name: string) {
    this.#storage = storage
    this.id = id
    this.database = database
    this.name = name
    this.table = `c${id}`
    this.#indexes = [idIndex(this.table)]
    this.#sql = {
      insert: `insert into ${this.table} (id_key, doc) values (?, ?) on conflict do nothing`,
      replace: `update ${this.table} set doc = ? where row = ?`,
      remove: `delete from ${this.table} where row = ?`,
      by_id: `select row, doc from ${this.table} where id_key = ?`,
    }
  }

  get indexes(): readonly Index[] {
    return this.#indexes
  }

  setIndexes(indexes: readonly Index[]): void {
    this.#indexes = indexes
    this.#heads = new Set(indexes.slice(1).flatMap((index) => [...index.heads]))
  }

  get namespace(): string {
    return `${this.database}.${this.name}`
  }

  /** How many documents there are, known without counting once it has been counted. */
  get count(): number {
    if (this.#count === undefined) {
      const [count] = this.#storage.statement(`select count(*) from ${this.table}`).get() as unknown as [number]
      this.#count = count
    }
    return this.#count
  }

  /** About how many bytes of BSON it holds, judged by the first documents: adding all up would hold up everyone. */
  bytes(): number {
    const sql = `select coalesce(avg(length(doc)), 0) from (select doc from ${this.table} limit 100)`
    const [average] = this.#storage.statement(sql).get() as unknown as [number]
    return Math.round(average * this.count)
  }

  byId(id_key: Buffer): { row: number; bytes: Buffer } | undefined {
    const found = this.#storage.statement(this.#sql.by_id).get(id_key) as unknown as [number, Uint8Array] | undefined
    return found && { row: found[0], bytes: bufferOf(found[1]) }
  }

  byRow(row: number): Buffer | undefined {
    const sql = `select doc from ${this.table} where row = ?`
    const found = this.#storage.statement(sql).get(row) as unknown as [Uint8Array] | undefined
    return found && bufferOf(found[0])
  }

  /** Adds one document given as BSON; answers its `_id`. Throws DuplicateKey and the errors of a malformed document. */
  insert(given: Buffer): unknown {
    const { bytes, id } = withIdFirst(given)
    if (bytes.length > max_document_bytes) throw tooLarge(bytes.length)
    const id_key = encodeKey(id)
    const entries = this.#entriesOf(bytes)
    for (const { index, keys } of entries) {
      for (const key of keys) {
        if (!index.unique || this.#holder(index, key) === undefined) continue
        if (this.byId(id_key) !== undefined) throw this.#duplicate(this.indexes[0] as Index, { _id: id })
        throw this.#duplicate(index, decodeDocument(bytes))
      }
    }
    const { changes, lastInsertRowid } = this.#storage.statement(this.#sql.insert).run(id_key, bytes)
    if (changes === 0) throw this.#duplicate(this.indexes[0] as Index, { _id: id })
    for (const { index, keys } of entries) this.#addEntries(index, keys, Number(lastInsertRowid))
    if (this.#count !== undefined) this.#count++
    return id
  }

  /**
   * Puts new content in a document's place. `heads` are the top-level fields that may have changed; undefined means any.
   * Answers whether the bytes differ. Throws DuplicateKey, and then nothing has changed.
   */
  replace(row: number, before: Buffer, document: Document, heads: ReadonlySet<string> | undefined): boolean {
    const bytes = encodeDocument(document)
    if (bytes.length > max_document_bytes) throw tooLarge(bytes.length)
    if (bytes.equals(before)) return false
    const moves = this.#moves(row, before, document, heads)
    this.#storage.statement(this.#sql.replace).run(bytes, row)
    for (const { index, gone, added } of moves) {
      this.#removeEntries(index, gone, row)
      this.#addEntries(index, added, row)
    }
    return true
  }

  remove(row: number, bytes: Buffer): void {
    for (const { index, keys } of this.#entriesOf(bytes)) this.#removeEntries(index, keys, row)
    this.#storage.statement(this.#sql.remove).run(row)
    if (this.#count !== undefined) this.#count--
  }

  /** Writes the entries of a new index for all documents. Throws DuplicateKey. */
  fillIndex(index: Index): void {
    const rows = this.#storage.statement(`select row, doc from ${this.table} order by row`).iterate()
    for (const found of rows) {
      const [row, bytes] = found as unknown as [number, Uint8Array]
      const document = decodeDocument(bufferOf(bytes), { only: index.heads })
      const { keys, multikey } = entriesOf(index, document)
      this.#noteMultikey(index, multikey)
      for (const key of keys) {
        if (index.unique && this.#holder(index, key) !== undefined) throw this.#duplicate(index, document)
      }
      this.#addEntries(index, keys, row)
    }
  }

  #entriesOf(bytes: Buffer): { index: Index; keys: Buffer[] }[] {
    if (this.indexes.length === 1) return []
    const document = decodeDocument(bytes, { only: this.#heads })
    return this.indexes.slice(1).map((index) => {
      const { keys, multikey } = entriesOf(index, document)
      this.#noteMultikey(index, multikey)
      return { index, keys }
    })
  }

  /** What a change of content does to each index, checked against the unique ones before anything is written. */
  #moves(row: number, before: Buffer, document: Document, heads: ReadonlySet<string> | undefined) {
    const touched = this.indexes.slice(1).filter((index) => heads === undefined || !index.heads.isDisjointFrom(heads))
    if (touched.length === 0) return []
    const old = decodeDocument(before, { only: new Set(touched.flatMap((index) => [...index.heads])) })
    return touched.map((index) => {
      const old_keys = entriesOf(index, old).keys
      const { keys, multikey } = entriesOf(index, document)
      this.#noteMultikey(index, multikey)
      const added = keys.filter((key) => !old_keys.some((other) => other.equals(key)))
      const gone = old_keys.filter((key) => !keys.some((other) => other.equals(key)))
      for (const key of index.unique ? added : []) {
        const holder = this.#holder(index, key)
        if (holder !== undefined && holder !== row) throw this.#duplicate(index, document)
      }
      return { index, gone, added }
    })
  }

  #holder(index: Index, key: Buffer): number | undefined {
    const sql = `select row from ${index.table} where key = ?`
    const found = this.#storage.statement(sql).get(key) as unknown as [number] | undefined
    return found?.[0]
  }

  #addEntries(index: Index, keys: readonly Buffer[], row: number): void {
    const statement = this.#storage.statement(`insert into ${index.table} (key, row) values (?, ?)`)
    for (const key of keys) statement.run(key, row)
  }

  #removeEntries(index: Index, keys: readonly Buffer[], row: number): void {
    const statement = this.#storage.statement(`delete from ${index.table} where key = ? and row = ?`)
    for (const key of keys) statement.run(key, row)
  }

  #noteMultikey(index: Index, multikey: number): void {
    if ((index.multikey | multikey) === index.multikey) return
    index.multikey |= multikey
    const sql = 'update catalog_indexes set multikey = ? where id = ?'
    this.#storage.statement(sql).run(index.multikey, Number(index.table.slice(1)))
  }

  #duplicate(index: Index, document: Document): CommandError {
    const values: Document = {}
    for (const { path } of index.fields) values[path] = expandedValues(document, path).values[0] ?? null
    const message = `E11000 duplicate key error collection: ${this.namespace} index: ${index.name} dup key: ${describe(values)}`
    return new CommandError('DuplicateKey', message, { keyPattern: index.spec.key, keyValue: values })
  }
}

const tooLarge = (length: number): CommandError =>
  new CommandError(
    'BSONObjectTooLarge',
    `BSONObj size: ${length} is invalid. Size must be between 0 and ${max_document_bytes}`,
  )
