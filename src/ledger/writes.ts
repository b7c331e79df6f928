// How money is written: majority-committed, journaled, and repeated while its outcome is unknown. A timeout or a lost
// connection never means failure; it means that the same write is sent again.
import mongoose, { type mongo } from 'mongoose'

const { MongoError, MongoServerError } = mongoose.mongo

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
 * fails (an amount beyond Int64) counts as not matched. Throws what the driver throws when the outcome is unknown.
 */
export async function update(database: mongo.Db, collection: string, updates: UpdateStatement[]): Promise<number> {
  const answer = await database.command({
    update: collection,
    updates,
    ordered: false,
    writeConcern: { w: 'majority', j: true, wtimeout: 10_000 },
  })
  // A write concern that was not met in time leaves the outcome open, as a lost connection does.
  if (answer.writeConcernError)
    throw new MongoServerError({ ...answer.writeConcernError, errorLabels: ['RetryableWriteError'] })
  return Number(answer.n)
}

const REPEAT_MS = [20, 50, 100, 200, 400, 800, 1600, 3200]

/** Repeats an idempotent write while its outcome is unknown; StoreUnavailable after about 6 seconds of trying. */
export async function repeatUntilKnown<Result>(write: () => Promise<Result>): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await write()
    } catch (error) {
      if (!isOutcomeUnknown(error)) throw error
      const pause_ms = REPEAT_MS[attempt]
      if (pause_ms === undefined)
        throw new StoreUnavailable('The store did not answer; the request can be sent again.', { cause: error })
      await new Promise((resolve) => setTimeout(resolve, pause_ms))
    }
  }
}

const UNKNOWN_LABELS = ['RetryableWriteError', 'RetryableError', 'PoolRequestedRetry']
// NotWritablePrimary and its kin, primary stepped down, shutdown in progress, exceeded time limit, write concern timeout.
const UNKNOWN_CODES = new Set([6, 7, 64, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436])

/** Whether the error leaves open if the write was carried out. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (!(error instanceof MongoError)) return false
  if (/^Mongo(Network|ServerSelection|Pool|Topology|NotConnected|ClientClosed)/.test(error.name)) return true
  if (UNKNOWN_LABELS.some((label) => error.hasErrorLabel(label))) return true
  return error instanceof MongoServerError && UNKNOWN_CODES.has(Number(error.code))
}

/** Whether an insert was refused because the document is there already. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof MongoServerError && Number(error.code) === 11000
}
