/**
 * The sqlite file under the store: opening it, statements kept prepared, and the one transaction that all commands of
 * a moment share. It knows tables and bytes, nothing of documents.
 */
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'

export type SyncMode = 'normal' | 'full'

/** What reading has cost, for tests and benches that must know whether an index was used. */
export type ReadCounters = { keys_examined: number; documents_examined: number }

/** What keeps changes in memory until they have to be in the tables: for a scan, or for the commit. */
export interface Writer {
  write(): void
}

/** 16 MB of log: sqlite's own 1000 pages write the pages that every request changes back four times as often. */
const checkpoint_pages = 4000

export class Storage {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly counters: ReadCounters = { keys_examined: 0, documents_examined: 0 }
  readonly #writers = new Set<Writer>()
  #open = false
  #commits = 0
  #commits_seen = 0
  #commits_written = 0

  /**
   * One file holds every database, so that one commit covers whatever commands arrive together. The lock on the file is
   * kept for the life of the process: the folder has one owner (lock.ts), and without it each read would lock anew.
   */
  constructor(data_dir: string, sync: SyncMode) {
    const file = join(data_dir, 'store.sqlite')
    // sqlite would make it readable to all; its log takes the mode of the file.
    closeSync(openSync(file, 'a', 0o600))
    this.#database = new DatabaseSync(file)
    this.#database.exec('pragma locking_mode = exclusive')
    this.#database.exec('pragma journal_mode = wal')
    this.#database.exec(`pragma synchronous = ${sync === 'full' ? 'full' : 'normal'}`)
    // Small: the system keeps the file's pages too, and hot documents are kept decoded.
    this.#database.exec('pragma cache_size = -8192')
    this.#database.exec('pragma temp_store = memory')
    this.#database.exec(`pragma wal_autocheckpoint = ${checkpoint_pages}`)
    this.#database.exec('pragma journal_size_limit = 67108864')
  }

  /** Prepared once and kept. Rows come as arrays. */
  statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const made = this.#database.prepare(sql)
    made.setReturnArrays(true)
    this.#statements.set(sql, made)
    return made
  }

  execute(sql: string): void {
    this.#database.exec(sql)
  }

  /** Forgets the statements of a table that is going. */
  dropTable(table: string): void {
    for (const sql of this.#statements.keys()) if (sql.includes(table)) this.#statements.delete(sql)
    this.#database.exec(`drop table if exists ${table}`)
  }

  get in_transaction(): boolean {
    return this.#open
  }

  begin(): void {
    if (this.#open) return
    this.statement('begin immediate').run()
    this.#open = true
  }

  /** Has its `write` called before the open transaction is committed. */
  writeLater(writer: Writer): void {
    this.#writers.add(writer)
  }

  commit(): void {
    if (!this.#open) return
    for (const writer of this.#writers) writer.write()
    this.#writers.clear()
    this.statement('commit').run()
    this.#open = false
    this.#commits++
  }

  /** Undoes the open transaction. sqlite may have done so itself (a full disk): then there is nothing left to undo. */
  rollback(): void {
    this.#open = false
    this.#writers.clear()
    if (this.#database.isTransaction) this.#database.exec('rollback')
  }

  /**
   * Writes the log back into the file once nothing has been committed since the last call, so that a busy moment need
   * not wait for it. Called every second.
   */
  rest(): void {
    const quiet = this.#commits === this.#commits_seen
    this.#commits_seen = this.#commits
    if (!quiet || this.#open || this.#commits === this.#commits_written) return
    this.#database.exec('pragma wal_checkpoint(passive)')
    this.#commits_written = this.#commits
  }

  /** Moves everything from the log into the file and lets go of it. */
  close(): void {
    this.commit()
    this.#statements.clear()
    this.#database.exec('pragma wal_checkpoint(truncate)')
    this.#database.close()
  }
}

/** sqlite gives Uint8Array; the store reads with Buffer's methods over the same memory. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
