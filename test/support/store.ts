// A store of its own for a test file: a fresh database on TEST_MONGODB_URI, or else the embedded store in a temp folder.
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mongoose from 'mongoose'
import { connectStore, type Store } from '../../src/store/connect.ts'
import { startEmbeddedStore } from '../../src/store/embedded/start.ts'

export interface TestStore {
  store: Store
  /** To connect a second router to the same data. */
  uri: string
  close(): Promise<void>
}

export async function testStore(): Promise<TestStore> {
  const database = ownDatabase()
  return database ? onDatabase(database) : ownServer()
}

export interface TestDatabase {
  /** What a router's environment must say to use it. */
  environment: { MONGODB_URI: string }
  drop(): Promise<void>
}

/** A database that nobody else has, on TEST_MONGODB_URI; undefined where that is not set, and a router brings its own store. */
export function ownDatabase(): TestDatabase | undefined {
  const shared = process.env.TEST_MONGODB_URI
  if (!shared) return undefined
  const name = `test_${randomUUID().replaceAll('-', '')}`
  // Not by URL: an address of several hosts is none.
  const [, hosts = '', query = ''] = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(shared) ?? []
  // The user, where there is one, is not of the database that was just made up.
  const source = hosts.includes('@') && !query.includes('authSource=') ? `${query ? '&' : '?'}authSource=admin` : ''
  const MONGODB_URI = `${hosts}/${name}${query}${source}`
  return { environment: { MONGODB_URI }, drop: () => dropDatabase(MONGODB_URI) }
}

async function dropDatabase(uri: string): Promise<void> {
  const client = await mongoose.mongo.MongoClient.connect(uri)
  try {
    await client.db().dropDatabase()
  } finally {
    await client.close()
  }
}

async function onDatabase({ environment, drop }: TestDatabase): Promise<TestStore> {
  const uri = environment.MONGODB_URI
  const store = await connectStore(uri)
  return {
    store,
    uri,
    async close() {
      await store.close()
      await drop()
    },
  }
}

async function ownServer(): Promise<TestStore> {
  const data_dir = await mkdtemp(join(tmpdir(), 'sw-store-'))
  const embedded = await startEmbeddedStore({ data_dir, sync: 'normal' })
  const store = await connectStore(embedded.uri)
  return {
    store,
    uri: embedded.uri,
    async close() {
      await store.close()
      await embedded.close()
      await rm(data_dir, { recursive: true, force: true })
    },
  }
}
