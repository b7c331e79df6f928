// What was acknowledged is there after kill -9, and a folder has one owner.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  DataFolderInUse,
  DataFolderUnusable,
  type EmbeddedStore,
  startEmbeddedStore,
} from '../../../src/store/embedded/start.ts'
import { client_options, type Loose, temporaryFolder } from './with_store.ts'

let data_dir: string
beforeEach(async () => {
  data_dir = await temporaryFolder()
})
afterEach(() => rm(data_dir, { recursive: true, force: true }))

async function spawnStore(): Promise<{ child: ChildProcess; uri: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'kill_me.ts'), data_dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, uri: line.toString().trim() }
}

/** Inserts, updates and batches until the store dies; remembers what was acknowledged. */
async function burst(uri: string, round: number, acknowledged: Map<string, number>, kill: () => void): Promise<void> {
  const enough = acknowledged.size + 60 + Math.random() * 200
  const client = new MongoClient(uri, { ...client_options, serverSelectionTimeoutMS: 200 })
  const things = client.db().collection<Loose>('things')
  const work = async (worker: number): Promise<void> => {
    for (let n = 0; ; n++) {
      const first = `${round}-${worker}-${n}-0`
      const ids = [first, `${round}-${worker}-${n}-1`, `${round}-${worker}-${n}-2`]
      await things.insertMany(ids.map((_id) => ({ _id, n: 0, tag: `tag-${_id}`, padding: 'x'.repeat(500) })))
      for (const id of ids) acknowledged.set(id, 0)
      if (acknowledged.size > enough) kill()
      await things.updateOne({ _id: first }, { $inc: { n: 1 }, $set: { tag: `new-${first}` } })
      acknowledged.set(first, 1)
    }
  }
  await Promise.allSettled(Array.from({ length: 8 }, (_, worker) => work(worker)))
  await client.close()
}

async function connect(store: EmbeddedStore): Promise<MongoClient> {
  return new MongoClient(store.uri, client_options).connect()
}

describe('kill -9', () => {
  it('loses no acknowledged write and leaves every index whole', { timeout: 60_000 }, async () => {
    const acknowledged = new Map<string, number>()
    for (const round of [1, 2, 3]) {
      const { child, uri } = await spawnStore()
      const setup = await new MongoClient(uri, client_options).connect()
      await setup.db().collection('things').createIndex({ tag: 1 }, { unique: true })
      await setup.close()
      const dead = once(child, 'exit')
      await burst(uri, round, acknowledged, () => child.kill('SIGKILL'))
      await dead
    }
    expect(acknowledged.size).toBeGreaterThan(100)
    const store = await startEmbeddedStore({ data_dir, sync: 'normal' })
    const client = await connect(store)
    const things = client.db().collection<Loose>('things')
    const found = new Map((await things.find().toArray()).map((document) => [document._id as string, document]))
    for (const [id, n] of acknowledged) expect(found.get(id)?.n, id).toBeGreaterThanOrEqual(n)
    for (const [id, { tag }] of found) {
      expect(tag, id).toMatch(new RegExp(`^(tag|new)-${id}$`))
    }
    const by_tag = await things.find({ tag: { $gte: '' } }, { hint: { tag: 1 } }).toArray()
    expect(by_tag.map(({ _id }) => _id).sort()).toEqual([...found.keys()].sort())
    expect(await things.countDocuments({ tag: { $gte: '' } })).toBe(found.size)
    await client.close()
    await store.close()
  })
})

describe('a data folder', () => {
  it('has one owner, and says who', async () => {
    const store = await startEmbeddedStore({ data_dir, sync: 'normal' })
    const second = startEmbeddedStore({ data_dir, sync: 'normal' })
    await expect(second).rejects.toThrow(DataFolderInUse)
    await expect(second).rejects.toThrow(`The data folder ${data_dir} is in use by process ${process.pid}`)
    await store.close()
    const third = await startEmbeddedStore({ data_dir, sync: 'full' })
    await third.close()
  })

  it('is refused to a second process while the first lives, and free once it is dead', async () => {
    const { child } = await spawnStore()
    await expect(startEmbeddedStore({ data_dir, sync: 'normal' })).rejects.toMatchObject({
      folder: data_dir,
      pid: child.pid,
    })
    child.kill('SIGKILL')
    await once(child, 'exit')
    const store = await startEmbeddedStore({ data_dir, sync: 'normal' })
    const client = await connect(store)
    expect(await client.db().command({ ping: 1 })).toEqual({ ok: 1 })
    await client.close()
    await store.close()
    expect(existsSync(join(data_dir, 'store.sock'))).toBe(false)
  })

  it('that cannot be one is refused with the reason', async () => {
    const file = join(data_dir, 'file')
    writeFileSync(file, '')
    const refused = startEmbeddedStore({ data_dir: join(file, 'data'), sync: 'normal' })
    await expect(refused).rejects.toThrow(DataFolderUnusable)
    await expect(refused).rejects.toThrow('ENOTDIR')
  })

  it.runIf(process.platform === 'linux')('that nobody can make is refused at once', async () => {
    for (const folder of ['/proc/switchyard', '/proc/switchyard/data']) {
      await expect(startEmbeddedStore({ data_dir: folder, sync: 'normal' })).rejects.toThrow(
        `The data folder ${folder} cannot be used (ENOENT)`,
      )
    }
  })

  it('that cannot be one ends a start of the router with one clear line', async () => {
    const file = join(data_dir, 'file')
    writeFileSync(file, '')
    const folders = process.platform === 'linux' ? ['/proc/switchyard', join(file, 'data')] : [join(file, 'data')]
    for (const folder of folders) {
      const main = join(import.meta.dirname, '../../../src/main.ts')
      const env = { PATH: process.env.PATH, PORT: '0', DATA_DIR: folder }
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], { cwd: data_dir, env })
      const exit = once(child, 'exit')
      const lines = (await child.stderr.toArray()).join('').trimEnd().split('\n')
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain(`The data folder ${folder} cannot be used`)
      expect(await exit).toEqual([1, null])
    }
  })

  it('is given up again when the store cannot listen where it was told to', async () => {
    const taken = createServer()
    await once(taken.listen(0, '127.0.0.1'), 'listening')
    const { port } = taken.address() as AddressInfo
    await expect(startEmbeddedStore({ data_dir, sync: 'normal', tcp_port: port })).rejects.toThrow('EADDRINUSE')
    taken.close()
    const store = await startEmbeddedStore({ data_dir, sync: 'normal' })
    await store.close()
  })

  it('of any length of path gets a socket that works', async () => {
    const long = join(data_dir, 'a'.repeat(60), 'b'.repeat(60))
    const store = await startEmbeddedStore({ data_dir: long, sync: 'normal' })
    const client = await connect(store)
    await client.db().collection('things').insertOne({ a: 1 })
    await client.close()
    await store.close()
    const again = await startEmbeddedStore({ data_dir: long, sync: 'normal' })
    const reader = await connect(again)
    expect(await reader.db().collection('things').countDocuments()).toBe(1)
    await reader.close()
    await again.close()
  })

  it('keeps its documents, indexes and multikey marks over a restart', async () => {
    const first = await startEmbeddedStore({ data_dir, sync: 'normal' })
    const writer = await connect(first)
    const things = writer.db().collection<Loose>('things')
    await things.createIndex({ tags: 1 })
    await things.insertOne({ _id: 1, tags: [1, 10] })
    await writer.close()
    await first.close()
    const second = await startEmbeddedStore({ data_dir, sync: 'normal' })
    const reader = await connect(second)
    const found = reader.db().collection<Loose>('things')
    expect(await found.find({ tags: { $gt: 3, $lt: 5 } }).toArray()).toEqual([{ _id: 1, tags: [1, 10] }])
    expect((await found.indexes()).map(({ name }) => name)).toEqual(['_id_', 'tags_1'])
    await reader.close()
    await second.close()
  })
})
