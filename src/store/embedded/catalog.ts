/** Which databases, collections and indexes there are: kept in two sqlite tables, held in memory. It reads no documents. */
import { Collection } from './collection.ts'
import { decodeDocument } from './decode.ts'
import { encodeDocument } from './encode.ts'
import { CommandError } from './errors.ts'
import { buildIndex } from './index_spec.ts'
import { bufferOf, type Storage } from './storage.ts'
import type { Document } from './values.ts'

const schema = `
  create table if not exists catalog_collections (
    id integer primary key, database text not null, name text not null, unique (database, name));
  create table if not exists catalog_indexes (
    id integer primary key, collection integer not null, spec blob not null, multikey integer not null);`

export class Catalog {
  readonly #storage: Storage
  #databases = new Map<string, Map<string, Collection>>()

  constructor(storage: Storage) {
    this.#storage = storage
    storage.execute(schema)
    this.reload()
  }

  /** Reads everything anew: at the start, and after a rollback has undone what memory believes. */
  reload(): void {
    this.#databases = new Map()
    const by_id = new Map<number, Collection>()
    for (const row of this.#storage.statement('select id, database, name from catalog_collections').all()) {
      const [id, database, name] = row as unknown as [number, string, string]
      const collection = new Collection(this.#storage, id, database, name)
      by_id.set(id, collection)
      this.#remember(collection)
    }
    const sql = 'select id, collection, spec, multikey from catalog_indexes order by id'
    for (const row of this.#storage.statement(sql).all()) {
      const [id, collection, spec, multikey] = row as unknown as [number, number, Uint8Array, number]
      const owner = by_id.get(collection)
      owner?.setIndexes([...owner.indexes, buildIndex(`i${id}`, decodeDocument(bufferOf(spec)), multikey)])
    }
  }

  find(database: string, name: string): Collection | undefined {
    return this.#databases.get(database)?.get(name)
  }

  /** The collection, made on first use as MongoDB does. Only inside a write. */
  obtain(database: string, name: string): Collection {
    return this.find(database, name) ?? this.#create(database, name)
  }

  collections(database: string): Collection[] {
    return [...(this.#databases.get(database)?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  databases(): string[] {
    return [...this.#databases.keys()].sort()
  }

  drop(collection: Collection): void {
    for (const index of collection.indexes.slice(1)) this.dropIndex(collection, index.name)
    collection.forget()
    this.#storage.dropTable(collection.table)
    this.#storage.statement('delete from catalog_collections where id = ?').run(collection.id)
    const siblings = this.#databases.get(collection.database)
    siblings?.delete(collection.name)
    if (siblings?.size === 0) this.#databases.delete(collection.database)
  }

  /** Adds a checked definition and builds its entries from the documents there are. Throws DuplicateKey. */
  createIndex(collection: Collection, spec: Document): void {
    const insert = 'insert into catalog_indexes (collection, spec, multikey) values (?, ?, 0)'
    const { lastInsertRowid } = this.#storage.statement(insert).run(collection.id, encodeDocument(spec))
    const index = buildIndex(`i${lastInsertRowid}`, spec, 0)
    const key = index.unique ? 'primary key (key)' : 'primary key (key, row)'
    this.#storage.execute(`create table ${index.table} (key blob not null, row integer not null, ${key}) without rowid`)
    try {
      collection.fillIndex(index)
    } catch (error) {
      this.#forgetIndex(index.table)
      throw error
    }
    collection.setIndexes([...collection.indexes, index])
  }

  dropIndex(collection: Collection, name: string): void {
    const index = collection.indexes.find((candidate) => candidate.name === name)
    if (index === undefined) throw new CommandError('IndexNotFound', `index not found with name [${name}]`)
    if (name === '_id_') throw new CommandError('InvalidOptions', 'cannot drop _id index')
    collection.setIndexes(collection.indexes.filter((other) => other !== index))
    this.#forgetIndex(index.table)
  }

  #forgetIndex(table: string): void {
    this.#storage.dropTable(table)
    this.#storage.statement('delete from catalog_indexes where id = ?').run(Number(table.slice(1)))
  }

  #create(database: string, name: string): Collection {
    checkNamespace(database, name)
    const insert = 'insert into catalog_collections (database, name) values (?, ?)'
    const { lastInsertRowid } = this.#storage.statement(insert).run(database, name)
    const collection = new Collection(this.#storage, Number(lastInsertRowid), database, name)
    this.#storage.execute(
      `create table ${collection.table} (row integer primary key, id_key blob not null unique, doc blob not null)`,
    )
    this.#remember(collection)
    return collection
  }

  #remember(collection: Collection): void {
    const siblings = this.#databases.get(collection.database) ?? new Map<string, Collection>()
    siblings.set(collection.name, collection)
    this.#databases.set(collection.database, siblings)
  }
}

function checkNamespace(database: string, name: string): void {
  const bad_database = database === '' || database.length > 63 || /[\0/\\. "$]/.test(database)
  const bad_name = name === '' || name.length > 200 || /[\0$]/.test(name) || name.startsWith('.') || name.endsWith('.')
  if (bad_database || bad_name || name.startsWith('system.')) {
    throw new CommandError('InvalidNamespace', `Invalid namespace specified '${database}.${name}'`)
  }
}
