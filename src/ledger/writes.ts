// How money is written: majority-committed, journaled, and repeated while its outcome is unknown. A timeout or a lost
// connection never means failure; it means that the same write is sent again.
import { setTimeout as pause } from 'node:timers/promises'
import mongoose, { type mongo } from 'mongoose'

const { MongoBulkWriteError, MongoError, MongoServerError } = mongoose.mongo

/** The store did not answer in time: nothing is known of the last write, and recovery will finish what it began. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable'
}

export interface UpdateStatement {
  q: Record<string, unknown>
  u: Record<string, unknown>
  multi?: boolean
}

/**
 * Sends the statements as one command and answers how many documents matched. Statements are independent: one that
 * is refused (an amount beyond Int64) counts as not matched. Throws a MongoError when the outcome of any is unknown.
 */
export async function update(database: mongo.Db, collection: string, updates: UpdateStatement[]): Promise<number> {
  const answer = await database.command({
    update: collection,
    updates,
    ordered: false,
    writeConcern: { w: 'majority', j: true, wtimeout: 10_000 },
  })
  // A write concern that was not met in time leaves the outcome open, as a lost connection does; so does a statement
  // that was stopped in the middle, which the driver does not look for in a plain command.
  const errors: mongo.WriteError[] = answer.writeErrors ?? []
  const unknown = answer.writeConcernError ?? errors.find(({ code }) => UNKNOWN_CODES.has(Number(code)))
  if (unknown) throw new MongoServerError({ ...unknown, errorLabels: ['RetryableWriteError'] })
  return Number(answer.n)
}

const PAUSES_MS = [20, 50, 100, 200, 400]
/** The driver's own wait for a server comes on top, once. */
const PATIENCE_MS = 6000

/** Repeats an idempotent write (or a read) while its outcome is unknown; StoreUnavailable after 6 to 11 seconds of it. */
export async function repeatUntilKnown<Result>(write: () => Promise<Result>): Promise<Result> {
  const until = Date.now() + PATIENCE_MS
  for (let attempt = 0; ; attempt++) {
    try {
      return await write()
    } catch (error) {
      if (!isOutcomeUnknown(error)) throw error
      if (Date.now() > until)
        throw new StoreUnavailable('The store did not answer; the request can be sent again.', { cause: error })
      await pause(PAUSES_MS[attempt] ?? 800)
    }
  }
}

const UNKNOWN_LABELS = ['RetryableWriteError', 'RetryableError', 'PoolRequestedRetry']
// Hosts that cannot be reached and sockets that broke (6, 7, 89, 202, 9001), a primary that went, is not there yet or shuts
// down (91, 133, 189, 10107, 11600, 11602, 13435, 13436), a cursor that went with it (43, 175, 237), a write concern that was
// not met (64, 79, 100), no majority to read from yet (134), time that ran out (24, 50, 262), work that was interrupted
// (11601), a write conflict or a busy engine (112, 365). As of MongoDB 8.0's error_codes.yml, 2026-11-21.
const UNKNOWN_CODES = new Set([
  6, 7, 24, 43, 50, 64, 79, 89, 91, 100, 112, 133, 134, 175, 189, 202, 237, 262, 365, 9001, 10107, 11600, 11601, 11602,
  13435, 13436,
])
const UNKNOWN_NAMES =
  /^Mongo(Network|Server(Selection|Closed)|StalePrimary|ExpiredSession|UnexpectedServerResponse|System|Pool|Topology|NotConnected|ClientClosed|WriteConcern|WaitQueueTimeout|OperationTimeout)/

/** Whether the error leaves open if the write was carried out. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (!(error instanceof MongoError)) return false
  if (UNKNOWN_NAMES.test(error.name)) return true
  if (UNKNOWN_LABELS.some((label) => error.hasErrorLabel(label))) return true
  if (error instanceof MongoBulkWriteError && error.result) {
    // The code of a bulk is that of its first error alone.
    const codes = error.result.getWriteErrors().map(({ code }) => Number(code))
    if (error.result.getWriteConcernError() || codes.some((code) => UNKNOWN_CODES.has(code))) return true
    // Without a code of the server's it was ended by the driver, which wraps the broken line in a bulk error (mongodb 7.8).
    if (codes.length === 0 && error.code === undefined) return true
  }
  return error instanceof MongoServerError && UNKNOWN_CODES.has(Number(error.code))
}

/** Whether an insert was refused because the document is there already, and for nothing else. */
export function isDuplicate(error: unknown): boolean {
  if (isOutcomeUnknown(error)) return false
  // The code of a bulk is that of its first error alone.
  if (error instanceof MongoBulkWriteError && error.result) {
    const errors = error.result.getWriteErrors()
    return errors.length > 0 && errors.every(({ code }) => Number(code) === DUPLICATE_KEY)
  }
  return error instanceof MongoServerError && Number(error.code) === DUPLICATE_KEY
}

const DUPLICATE_KEY = 11000

/** Whether a batch was refused for what one of its items holds (too large, beyond Int64): the others need not suffer. */
export const isRefused = (error: unknown): boolean => !(error instanceof StoreUnavailable) && !isOutcomeUnknown(error)
