// A write that sqlite cannot make is refused, undone whole, and the store goes on.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { expect, it } from 'vitest'
import { Engine } from '../../../src/store/embedded/engine.ts'
import { StoreServer } from '../../../src/store/embedded/server.ts'
import { uriOf } from '../../../src/store/embedded/socket_path.ts'
import { client_options, type Loose, temporaryFolder } from './with_store.ts'

it('a full disk fails the writes of that moment and leaves what was there', async () => {
  const data_dir = await temporaryFolder()
  const engine = new Engine(data_dir, 'normal')
  const server = new StoreServer(engine)
  const path = join(data_dir, 'store.sock')
  await server.listen({ path })
  const client = await new MongoClient(uriOf(path), client_options).connect()
  const things = client.db().collection<Loose>('things')
  await things.createIndex({ tag: 1 }, { unique: true })
  await things.insertMany([
    { _id: 1, tag: 'a' },
    { _id: 2, tag: 'b' },
  ])

  engine.storage.execute('pragma max_page_count = 20')
  const documents = Array.from({ length: 100 }, (_, n) => ({ _id: 100 + n, tag: `t${n}`, text: 'x'.repeat(5000) }))
  await expect(things.insertMany(documents)).rejects.toMatchObject({ code: 14031, codeName: 'OutOfDiskSpace' })
  expect(await things.find().sort({ _id: 1 }).toArray()).toHaveLength(2)
  expect(await things.countDocuments({ tag: { $gte: '' } })).toBe(2)

  engine.storage.execute('pragma max_page_count = 1000000')
  await things.insertMany(documents)
  expect(await things.estimatedDocumentCount()).toBe(102)
  await client.close()
  await server.close()
  engine.close()
  await rm(data_dir, { recursive: true, force: true })
})
