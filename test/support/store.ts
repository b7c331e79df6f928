// A store of its own for a test file: a fresh database on TEST_MONGODB_URI, or else the embedded store in a temp folder.
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectStore, type Store } from '../../src/store/connect.ts'
import { startEmbeddedStore } from '../../src/store/embedded/start.ts'

export interface TestStore {
  store: Store
  /** To connect a second router to the same data. */
  uri: string
  close(): Promise<void>
}

export async function testStore(): Promise<TestStore> {
  const shared = process.env.TEST_MONGODB_URI
  return shared ? ownDatabase(shared) : ownServer()
}

async function ownDatabase(shared: string): Promise<TestStore> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  // Not by URL: an address of several hosts is none.
  const uri = shared.replace(/^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?/, `$1/${name}`)
  const store = await connectStore(uri)
  return {
    store,
    uri,
    async close() {
      await store.database.dropDatabase()
      await store.close()
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
