/**
 * The store without its socket: runs one command and answers with BSON. Writes go into one open transaction; whoever
 * runs commands (server.ts) commits it before any answer leaves.
 */
import { Double } from 'bson'
import { Catalog } from './catalog.ts'
import { commands } from './commands/table.ts'
import { Cursors } from './cursors.ts'
import { encodeDocument } from './encode.ts'
import { CommandError } from './errors.ts'
import { Storage, type SyncMode } from './storage.ts'
import { type Document, numberOf } from './values.ts'

/** What a command works with. */
export type Context = {
  storage: Storage
  catalog: Catalog
  cursors: Cursors
  connection_id: number
  database: string
  command: Document
  /** When to give up, in ms as `performance.now()` counts. */
  deadline: number
}

export type Command = {
  /** The answer without `ok`, or whole as BSON. */
  run: (context: Context) => Document | Buffer
  /** The fields it knows besides those of every command. */
  fields: ReadonlySet<string>
  writes: boolean
}

const common_fields: ReadonlySet<string> = new Set([
  '$db',
  '$readPreference',
  '$clusterTime',
  'lsid',
  'comment',
  'maxTimeMS',
  'readConcern',
  'writeConcern',
  'apiVersion',
  'apiStrict',
  'apiDeprecationErrors',
])

const ok = new Double(1)

export class Engine {
  readonly storage: Storage
  #catalog: Catalog
  readonly #cursors = new Cursors()

  constructor(data_dir: string, sync: SyncMode) {
    this.storage = new Storage(data_dir, sync)
    this.#catalog = new Catalog(this.storage)
  }

  get catalog(): Catalog {
    return this.#catalog
  }

  /** Never throws for a command's own failure: that is answered. Throws when sqlite fails: then call `rollback`. */
  run(command: Document, database: string, connection_id: number): Buffer {
    try {
      const answer = this.#dispatch(command, database, connection_id)
      return Buffer.isBuffer(answer) ? answer : encodeDocument({ ...answer, ok })
    } catch (error) {
      if (error instanceof CommandError) return encodeFailure(error)
      throw error
    }
  }

  commit(): void {
    this.storage.commit()
  }

  /** Undoes everything since the last commit and forgets what memory believes of it. */
  rollback(): void {
    this.storage.rollback()
    this.#cursors.killAll()
    this.#catalog.reload()
  }

  endIdleCursors(): void {
    this.#cursors.endIdle(Date.now())
  }

  close(): void {
    this.storage.close()
  }

  #dispatch(command: Document, database: string, connection_id: number): Document | Buffer {
    const [name = ''] = Object.keys(command)
    const known = commands.get(name)
    if (known === undefined) throw new CommandError('CommandNotFound', `no such command: '${name}'`)
    checkFields(name, command, known)
    if (known.writes) this.storage.begin()
    const limit_ms = Number(numberOf(command.maxTimeMS) ?? 0)
    return known.run({
      storage: this.storage,
      catalog: this.#catalog,
      cursors: this.#cursors,
      connection_id,
      database,
      command,
      deadline: limit_ms > 0 ? performance.now() + limit_ms : Number.POSITIVE_INFINITY,
    })
  }
}

function checkFields(name: string, command: Document, known: Command): void {
  for (const field of Object.keys(command)) {
    if (field === name || known.fields.has(field) || common_fields.has(field)) continue
    if (field === 'txnNumber' || field === 'startTransaction' || field === 'autocommit') {
      throw new CommandError(
        'IllegalOperation',
        'Transaction numbers are only allowed on a replica set member or mongos',
      )
    }
    throw new CommandError(
      'UnknownField',
      `BSON field '${name}.${field}' is an unknown field or not supported by this store.`,
    )
  }
}

export function encodeFailure(error: CommandError): Buffer {
  const { message, code, code_name, detail } = error
  return encodeDocument({ ok: new Double(0), errmsg: message, code, codeName: code_name, ...detail })
}
