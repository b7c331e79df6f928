/** A store of its own for a test file, with a driver connected to it. Everything is removed afterwards. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Collection, type Db, type Document, MongoClient, type MongoClientOptions } from 'mongodb'
import { afterAll, beforeAll } from 'vitest'
import { type EmbeddedStore, type EmbeddedStoreOptions, startEmbeddedStore } from '../../../src/store/embedded/start.ts'

/** Documents of tests have whatever fields the test gives them; only `_id` is known. */
export interface Loose extends Document {
  _id: string | number
}

export type Fixture = {
  store: EmbeddedStore
  client: MongoClient
  data_dir: string
  db: Db
  /** A collection nobody else uses. */
  fresh: () => Collection<Loose>
}

export const temporaryFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'store-test-'))

/** Int64 arrives as bigint, as the router reads it. */
export const client_options: MongoClientOptions = { useBigInt64: true, serverSelectionTimeoutMS: 5000 }

export function withStore(options: Partial<EmbeddedStoreOptions> = {}): Fixture {
  const fixture = {} as Fixture
  let made = 0
  beforeAll(async () => {
    fixture.data_dir = await temporaryFolder()
    fixture.store = await startEmbeddedStore({ data_dir: fixture.data_dir, sync: 'normal', ...options })
    fixture.client = await new MongoClient(fixture.store.uri, client_options).connect()
    fixture.db = fixture.client.db()
    fixture.fresh = () => fixture.db.collection<Loose>(`things_${++made}`)
  })
  afterAll(async () => {
    await fixture.client?.close()
    await fixture.store?.close()
    await rm(fixture.data_dir, { recursive: true, force: true })
  })
  return fixture
}
