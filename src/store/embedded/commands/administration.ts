/** Databases, collections and indexes: listing, making, dropping, measuring. */
import type { Collection } from '../collection.ts'
import { compareValues } from '../compare.ts'
import { encodeCursor, encodeDocument } from '../encode.ts'
import type { Command, Context } from '../engine.ts'
import { CommandError } from '../errors.ts'
import { findSame, normaliseSpec } from '../index_spec.ts'
import { compileFilter } from '../query.ts'
import { type Document, isDocument, toInteger } from '../values.ts'
import { arrayField, collectionName, documentField, flagField } from './arguments.ts'

function listDatabases({ catalog, command }: Context): Document {
  const { test } = compileFilter(documentField(command, 'filter'))
  const databases = catalog.databases().map((name) => {
    const sizes = catalog.collections(name).map((collection) => collection.bytes())
    return { name, sizeOnDisk: toInteger(sizes.reduce((sum, size) => sum + size, 0)), empty: false }
  })
  const listed = databases.filter(test)
  if (flagField(command, 'nameOnly', false)) return { databases: listed.map(({ name }) => ({ name })) }
  return {
    databases: listed,
    totalSize: toInteger(listed.reduce((sum, { sizeOnDisk }) => sum + Number(sizeOnDisk), 0)),
  }
}

function listCollections({ catalog, command, database }: Context): Buffer {
  const { test } = compileFilter(documentField(command, 'filter'))
  const listed = catalog.collections(database).map(({ name }) => ({
    name,
    type: 'collection',
    options: {},
    info: { readOnly: false },
    idIndex: { v: 2, key: { _id: 1 }, name: '_id_' },
  }))
  return encodeCursor('firstBatch', listed.filter(test).map(encodeDocument), 0n, `${database}.$cmd.listCollections`)
}

function listIndexes(context: Context): Buffer {
  const collection = existing(context)
  return encodeCursor(
    'firstBatch',
    collection.indexes.map((index) => encodeDocument(index.spec)),
    0n,
    collection.namespace,
  )
}

function existing({ catalog, command, database }: Context): Collection {
  const name = collectionName(command)
  const collection = catalog.find(database, name)
  if (collection !== undefined) return collection
  throw new CommandError('NamespaceNotFound', `ns does not exist: ${database}.${name}`)
}

function create({ catalog, command, database }: Context): Document {
  const name = collectionName(command)
  if (catalog.find(database, name) !== undefined) {
    throw new CommandError('NamespaceExists', `Collection ${database}.${name} already exists.`)
  }
  catalog.obtain(database, name)
  return {}
}

function createIndexes({ catalog, command, database }: Context): Document {
  const name = collectionName(command)
  const specs = arrayField(command, 'indexes').map(normaliseSpec)
  if (specs.length === 0) throw new CommandError('BadValue', 'Must specify at least one index to create')
  const created = catalog.find(database, name) === undefined
  const collection = catalog.obtain(database, name)
  const before = collection.indexes.length
  const made: string[] = []
  try {
    for (const spec of specs) {
      if (findSame(collection.indexes, spec) !== undefined) continue
      catalog.createIndex(collection, spec)
      made.push(spec.name as string)
    }
  } catch (error) {
    for (const index of made) catalog.dropIndex(collection, index)
    throw error
  }
  const answer = {
    createdCollectionAutomatically: created,
    numIndexesBefore: before,
    numIndexesAfter: collection.indexes.length,
  }
  return made.length > 0 ? answer : { ...answer, note: 'all indexes already exist' }
}

function dropIndexes(context: Context): Document {
  const collection = existing(context)
  const wanted = context.command.index
  const before = collection.indexes.length
  for (const name of namesOfIndexes(collection, wanted)) context.catalog.dropIndex(collection, name)
  context.cursors.killAll(collection.namespace)
  return { nIndexesWas: before }
}

function namesOfIndexes(collection: Collection, wanted: unknown): string[] {
  if (wanted === '*') return collection.indexes.slice(1).map((index) => index.name)
  if (typeof wanted === 'string') return [wanted]
  if (Array.isArray(wanted)) return wanted.map(String)
  const found = collection.indexes.find((index) => isDocument(wanted) && compareValues(index.spec.key, wanted) === 0)
  if (found !== undefined) return [found.name]
  throw new CommandError('IndexNotFound', "can't find index with the given key")
}

function drop(context: Context): Document {
  const collection = existing(context)
  const indexes = collection.indexes.length
  context.catalog.drop(collection)
  context.cursors.killAll(collection.namespace)
  return { nIndexesWas: indexes, ns: collection.namespace }
}

function dropDatabase({ catalog, cursors, database }: Context): Document {
  for (const collection of catalog.collections(database)) {
    catalog.drop(collection)
    cursors.killAll(collection.namespace)
  }
  return { dropped: database }
}

function collStats(context: Context): Document {
  const { catalog, database, command } = context
  const name = collectionName(command)
  const collection = catalog.find(database, name)
  const size = collection?.bytes() ?? 0
  const count = collection?.count ?? 0
  return {
    ns: `${database}.${name}`,
    size: toInteger(size),
    count: toInteger(count),
    avgObjSize: count === 0 ? 0 : toInteger(Math.round(size / count)),
    storageSize: toInteger(size),
    nindexes: collection?.indexes.length ?? 0,
    totalIndexSize: 0,
    indexSizes: {},
  }
}

function dbStats({ catalog, database }: Context): Document {
  const collections = catalog.collections(database)
  const objects = collections.reduce((sum, { count }) => sum + count, 0)
  const size = collections.reduce((sum, collection) => sum + collection.bytes(), 0)
  return {
    db: database,
    collections: collections.length,
    views: 0,
    objects: toInteger(objects),
    avgObjSize: objects === 0 ? 0 : toInteger(Math.round(size / objects)),
    dataSize: toInteger(size),
    storageSize: toInteger(size),
    indexes: collections.reduce((sum, { indexes }) => sum + indexes.length, 0),
    indexSize: 0,
    totalSize: toInteger(size),
  }
}

const command = (run: Command['run'], writes: boolean, ...fields: string[]): Command => ({
  run,
  fields: new Set(fields),
  writes,
})

export const administration_commands: readonly (readonly [string, Command])[] = [
  ['listDatabases', command(listDatabases, false, 'filter', 'nameOnly', 'authorizedDatabases')],
  ['listCollections', command(listCollections, false, 'filter', 'nameOnly', 'cursor', 'authorizedCollections')],
  ['listIndexes', command(listIndexes, false, 'cursor')],
  ['create', command(create, true)],
  ['createIndexes', command(createIndexes, true, 'indexes', 'commitQuorum')],
  ['dropIndexes', command(dropIndexes, true, 'index')],
  ['drop', command(drop, true)],
  ['dropDatabase', command(dropDatabase, true)],
  ['collStats', command(collStats, false, 'scale')],
  ['collstats', command(collStats, false, 'scale')],
  ['dbStats', command(dbStats, false, 'scale', 'freeStorage')],
  ['dbstats', command(dbStats, false, 'scale', 'freeStorage')],
]
