/**
 * One collection: a sqlite table of BSON blobs with `_id` unique, and its index tables. It keeps the entries of every
 * index in step with the documents; finding documents is the planner's and the scan's work.
 */
import { decodeDocument } from './decode.ts'
import { withIdFirst } from './document_id.ts'
import { max_document_bytes } from './encode.ts'
import { CommandError } from './errors.ts'
import { entriesOf } from './index_entries.ts'
import { type Index, idIndex } from './index_spec.ts'
import { addEntries, duplicateKey, holderOf, noteMultikey, removeEntries } from './index_tables.ts'
import { encodeKey } from './keys.ts'
import { Shelf } from './shelf.ts'
import { bufferOf, type Storage } from './storage.ts'
import { StoredDocument } from './stored.ts'
import type { Update } from './update.ts'
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
  readonly #sql: { insert: string; replace: string; remove: string; by_id: string; by_row: string }
  readonly #shelf = new Shelf()
  /** Changed since the tables were written. */
  readonly #unwritten = new Set<StoredDocument>()
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
      by_row: `select id_key, doc from ${this.table} where row = ?`,
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

  /** To read or to change; `id` is no array, regex or missing value, which stand for others than themselves. */
  byId(id: unknown): StoredDocument | undefined {
    const id_key = encodeKey(id)
    const id_text = id_key.toString('latin1')
    const kept = this.#shelf.byId(id_text)
    if (kept !== undefined) return kept
    const found = this.#storage.statement(this.#sql.by_id).get(id_key) as unknown as [number, Uint8Array] | undefined
    return found && new StoredDocument(found[0], id_text, bufferOf(found[1]))
  }

  byRow(row: number): StoredDocument | undefined {
    const kept = this.#shelf.byRow(row)
    if (kept !== undefined) return kept
    const found = this.#storage.statement(this.#sql.by_row).get(row) as unknown as [Uint8Array, Uint8Array] | undefined
    return found && new StoredDocument(row, bufferOf(found[0]).toString('latin1'), bufferOf(found[1]))
  }

  bytesOf(row: number): Buffer | undefined {
    return this.byRow(row)?.encode()
  }

  /** Writes what has changed into the table, so that sqlite's own reading sees it. */
  write(): void {
    for (const stored of this.#unwritten) this.#write(stored)
    this.#unwritten.clear()
  }

  /** Lets go of what is kept in memory: the table is about to go. */
  forget(): void {
    this.#unwritten.clear()
    this.#shelf.clear()
  }

  #write(stored: StoredDocument): void {
    this.#storage.statement(this.#sql.replace).run(stored.settle(), stored.row)
  }

  /** Adds one document given as BSON; answers its `_id`. Throws DuplicateKey and the errors of a malformed document. */
  insert(given: Buffer): unknown {
    const { bytes, id } = withIdFirst(given)
    if (bytes.length > max_document_bytes) throw tooLarge(bytes.length)
    const id_key = encodeKey(id)
    const entries = this.#entriesOf(decodeDocument(bytes, { only: this.#heads }))
    for (const { index, keys } of entries) {
      for (const key of keys) {
        if (!index.unique || holderOf(this.#storage, index, key) === undefined) continue
        if (this.byId(id) !== undefined) throw duplicateKey(this.namespace, this.indexes[0] as Index, { _id: id })
        throw duplicateKey(this.namespace, index, decodeDocument(bytes))
      }
    }
    const { changes, lastInsertRowid } = this.#storage.statement(this.#sql.insert).run(id_key, bytes)
    if (changes === 0) throw duplicateKey(this.namespace, this.indexes[0] as Index, { _id: id })
    const row = Number(lastInsertRowid)
    for (const { index, keys } of entries) addEntries(this.#storage, index, keys, row)
    if (this.#count !== undefined) this.#count++
    // What was just made is often changed soon. The bytes given are part of a message, which must not be held by them.
    this.#keep(new StoredDocument(row, id_key.toString('latin1'), Buffer.from(bytes)))
    return id
  }

  /** Answers whether the update made a difference. Throws its errors and DuplicateKey, and then nothing has changed. */
  change(stored: StoredDocument, update: Update): boolean {
    const touched = this.indexes.slice(1).filter((index) => mayTouch(update, index))
    const before = touched.map((index) => entriesOf(index, stored.with(index.heads)).keys)
    let moves: Move[]
    try {
      if (!stored.apply(update)) return false
      checkLength(stored, update)
      moves = touched.map((index, at) => this.#move(index, stored, before[at] ?? []))
    } catch (error) {
      stored.takeBack()
      throw error
    }
    stored.keep(update)
    for (const { index, gone, added } of moves) {
      removeEntries(this.#storage, index, gone, stored.row)
      addEntries(this.#storage, index, added, stored.row)
    }
    this.#unwritten.add(stored)
    this.#storage.writeLater(this)
    this.#keep(stored)
    return true
  }

  remove(stored: StoredDocument): void {
    this.#shelf.remove(stored)
    this.#unwritten.delete(stored)
    for (const { index, keys } of this.#entriesOf(stored.with(this.#heads))) {
      removeEntries(this.#storage, index, keys, stored.row)
    }
    this.#storage.statement(this.#sql.remove).run(stored.row)
    if (this.#count !== undefined) this.#count--
  }

  /** What leaves the shelf for it is written first: from then on the table is the only one to know it. */
  #keep(stored: StoredDocument): void {
    for (const gone of this.#shelf.keep(stored)) {
      if (this.#unwritten.delete(gone)) this.#write(gone)
    }
  }

  /** Writes the entries of a new index for all documents. Throws DuplicateKey. */
  fillIndex(index: Index): void {
    this.write()
    const rows = this.#storage.statement(`select row, doc from ${this.table} order by row`).iterate()
    for (const found of rows) {
      const [row, bytes] = found as unknown as [number, Uint8Array]
      const document = decodeDocument(bufferOf(bytes), { only: index.heads })
      const { keys, multikey } = entriesOf(index, document)
      noteMultikey(this.#storage, index, multikey)
      for (const key of keys) {
        if (index.unique && holderOf(this.#storage, index, key) !== undefined)
          throw duplicateKey(this.namespace, index, document)
      }
      addEntries(this.#storage, index, keys, row)
    }
  }

  #entriesOf(document: Document): { index: Index; keys: Buffer[] }[] {
    return this.indexes.slice(1).map((index) => {
      const { keys, multikey } = entriesOf(index, document)
      noteMultikey(this.#storage, index, multikey)
      return { index, keys }
    })
  }

  /** What a change of content does to an index, checked if it is a unique one. */
  #move(index: Index, stored: StoredDocument, before: readonly Buffer[]): Move {
    const document = stored.with(index.heads)
    const { keys, multikey } = entriesOf(index, document)
    noteMultikey(this.#storage, index, multikey)
    const added = keys.filter((key) => !before.some((other) => other.equals(key)))
    const gone = before.filter((key) => !keys.some((other) => other.equals(key)))
    for (const key of index.unique ? added : []) {
      const holder = holderOf(this.#storage, index, key)
      if (holder !== undefined && holder !== stored.row) throw duplicateKey(this.namespace, index, document)
    }
    return { index, gone, added }
  }
}

type Move = { index: Index; gone: Buffer[]; added: Buffer[] }

const mayTouch = (update: Update, index: Index): boolean =>
  update.replacement || !index.heads.isDisjointFrom(update.heads)

/** Encodes only where the document could have become too large. */
function checkLength(stored: StoredDocument, update: Update): void {
  if (stored.length_max + update.growth_max <= max_document_bytes) return
  const { length } = stored.encode()
  if (length > max_document_bytes) throw tooLarge(length)
}

const tooLarge = (length: number): CommandError =>
  new CommandError(
    'BSONObjectTooLarge',
    `BSONObj size: ${length} is invalid. Size must be between 0 and ${max_document_bytes}`,
  )
