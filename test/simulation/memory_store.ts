// The store without its socket: the embedded store's own engine behind the few methods of the driver that the router
// uses, so that a command costs microseconds. It passes the same tests as the real one (store.test.ts).
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deserialize, serialize } from 'bson'
import mongoose, { type mongo } from 'mongoose'
import type { Store } from '../../src/store/connect.ts'
import { Engine } from '../../src/store/embedded/engine.ts'
import { readRequest } from '../../src/store/embedded/wire.ts'

const { MongoBulkWriteError, MongoServerError } = mongoose.mongo

export type Command = Record<string, unknown>
type Document = Record<string, unknown>

/** Carries out one command, or has it carried out, and answers as a server does: refusals are answers too. */
export type Send = (command: Command) => Promise<Document>

/** One engine for many stores, one after the other: each is a database of its own. */
export class MemoryServer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sw-simulation-'))
  readonly #engine = new Engine(this.#folder, 'normal')

  /** What would be on the wire: later changes of the command's objects do not reach it any more. */
  encode(database: string, command: Command): Buffer {
    const body = serialize({ ...command, $db: database })
    const message = Buffer.alloc(HEADER_BYTES + body.length)
    message.writeInt32LE(message.length, 0)
    message.writeInt32LE(OP_MSG, 12)
    message.set(body, HEADER_BYTES)
    return message
  }

  /** At once, and whole. */
  run(message: Buffer): Document {
    const request = readRequest(message)
    const answer = this.#engine.run(request.command, request.database, 1)
    this.#engine.commit()
    return deserialize(answer, { useBigInt64: true })
  }

  /** The store of one database, without a line that could fail. */
  store(database: string): Store {
    return storeOver(async (command) => this.run(this.encode(database, command)))
  }

  close(): void {
    this.#engine.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Header, flags, and the kind of the one section. */
const HEADER_BYTES = 21
const OP_MSG = 2013

const COLLECTIONS = [
  'accounts',
  'users',
  'keys',
  'jobs',
  'entries',
  'routers',
  'audit',
  'webhook_endpoints',
  'signing_secrets',
  'webhook_deliveries',
  'threads',
] as const

/** The router's store, whose every command goes through `send`. Collections that are asked for and not listed are made. */
export function storeOver(send: Send): Store {
  const checked: Send = async (command) => refused(await send(command))
  const made = new Map<string, unknown>()
  const collection = (name: string): unknown => {
    if (!made.has(name)) made.set(name, collectionOver(checked, name))
    return made.get(name)
  }
  const own = {
    ...Object.fromEntries(COLLECTIONS.map((name) => [name, collection(name)])),
    // As the driver has it: what is wrong with single statements stands in the answer.
    database: { command: checked, collection },
    connection: undefined,
    close: async () => undefined,
  }
  return new Proxy(own, {
    get: (of, name) =>
      name in of || typeof name === 'symbol' || name === 'then' ? Reflect.get(of, name) : collection(name),
  }) as unknown as Store
}

function refused(answer: Document): Document {
  if (answer.ok === 1) return answer
  throw new MongoServerError({ ...answer, message: String(answer.errmsg) })
}

interface WriteError {
  index: number
  code: number
  errmsg: string
}
const errorsOf = (answer: Document) => (answer.writeErrors ?? []) as WriteError[]

function checkOne(answer: Document): void {
  const [error] = errorsOf(answer)
  if (error) throw new MongoServerError({ ...error, message: error.errmsg })
}

function checkMany(answer: Document): void {
  const errors = errorsOf(answer)
  const [first] = errors
  if (!first) return
  const result = { getWriteErrors: () => errors, getWriteConcernError: () => undefined }
  throw new MongoBulkWriteError(
    { message: first.errmsg, code: first.code, writeErrors: [] },
    result as unknown as mongo.BulkWriteResult,
  )
}

function collectionOver(send: Send, name: string) {
  const find = (filter: object = {}, { projection, ...rest }: { projection?: object; limit?: number } = {}) =>
    new Cursor(send, { find: name, filter, ...(projection && { projection }), ...rest })
  const update = async (q: object, u: object, options: { upsert?: boolean } = {}, multi = false) => {
    const answer = await send({ update: name, updates: [{ q, u, multi, upsert: options.upsert ?? false }] })
    checkOne(answer)
    const upserted = (answer.upserted ?? []) as { _id: unknown }[]
    return {
      acknowledged: true,
      matchedCount: Number(answer.n) - upserted.length,
      modifiedCount: Number(answer.nModified),
      upsertedCount: upserted.length,
      upsertedId: upserted[0]?._id ?? null,
    }
  }
  const remove = async (q: object, limit: number) => {
    const answer = await send({ delete: name, deletes: [{ q, limit }] })
    checkOne(answer)
    return { acknowledged: true, deletedCount: Number(answer.n) }
  }
  const findAndModify = async (query: object, change: object) => {
    const answer = await send({ findAndModify: name, query, ...change })
    return answer.value ?? null
  }
  return {
    find,
    findOne: async (filter: object, options: { projection?: object } = {}) =>
      (await find(filter, options).limit(1).toArray())[0] ?? null,
    insertOne: async (document: Document) => {
      checkOne(await send({ insert: name, documents: [document] }))
      return { acknowledged: true, insertedId: document._id }
    },
    insertMany: async (documents: Document[], { ordered = true } = {}) => {
      checkMany(await send({ insert: name, documents, ordered }))
      return { acknowledged: true, insertedCount: documents.length }
    },
    updateOne: (filter: object, change: object, options?: { upsert?: boolean }) => update(filter, change, options),
    updateMany: (filter: object, change: object) => update(filter, change, {}, true),
    deleteOne: (filter: object) => remove(filter, 1),
    deleteMany: (filter: object) => remove(filter, 0),
    findOneAndUpdate: (
      filter: object,
      change: object,
      options: { returnDocument?: string; projection?: object; sort?: object; upsert?: boolean } = {},
    ) => {
      const { returnDocument, projection, ...rest } = options
      const given = { ...rest, ...(projection && { fields: projection }), new: returnDocument === 'after' }
      return findAndModify(filter, { update: change, ...given })
    },
    findOneAndDelete: (filter: object) => findAndModify(filter, { remove: true }),
    countDocuments: async (filter: object = {}) => {
      const pipeline = [{ $match: filter }, { $group: { _id: 1, n: { $sum: 1 } } }]
      const [counted] = await new Cursor(send, { aggregate: name, pipeline, cursor: {} }).toArray()
      return Number(counted?.n ?? 0)
    },
    aggregate: (pipeline: object[]) => new Cursor(send, { aggregate: name, pipeline, cursor: {} }),
  }
}

/** Whole answers only: what the simulation reads fits into one batch. */
class Cursor {
  readonly #send: Send
  readonly #command: Command

  constructor(send: Send, command: Command) {
    this.#send = send
    this.#command = command
  }

  sort(sort: object): this {
    this.#command.sort = sort
    return this
  }

  limit(limit: number): this {
    this.#command.limit = limit
    return this
  }

  /** One batch is all: see above. */
  batchSize(_: number): this {
    return this
  }

  project(projection: object): this {
    this.#command.projection = projection
    return this
  }

  async toArray(): Promise<Document[]> {
    const batch = 'find' in this.#command ? { batchSize: BATCH_SIZE } : {}
    const answer = await this.#send({ ...this.#command, ...batch })
    return (answer.cursor as { firstBatch: Document[] }).firstBatch
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Document> {
    yield* await this.toArray()
  }
}

const BATCH_SIZE = 10_000
