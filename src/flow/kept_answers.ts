// The answers that were given under idempotency keys: kept where they fit, read again, and erased with their jobs or when
// their time is over. It decides nothing about who may use a key.
import type { Readable } from 'node:stream'
import { repeatUntilKnown } from '../ledger/writes.ts'
import type { IdempotencyRecord } from '../store/idempotency.ts'
import type { JobRecord } from '../store/jobs.ts'
import type { Caller, Services } from './services.ts'

/** One try of the work under a key. Its job carries both names. */
export interface Trial {
  id: string
  attempt: string
}

export interface Answer {
  status: number
  headers: Record<string, string>
  body: Uint8Array
  /** Its body holds a secret that is shown once: it is sealed, and read by routers that have the same key alone. */
  secret: boolean
}

export type Owner = Pick<Caller, 'account_id' | 'retention_days'>

/** Two days: longer than any client tries again. */
export const KEPT_MS = 48 * 3600_000
const DAY_MS = 86_400_000
/** Larger answers are in storage, beside the files of their job. */
const INLINE_BYTES_MAX = 64 * 1024
const STORED_BYTES_MAX = 256 * 2 ** 20

/** Writes the answer into the row of the try that gave it; of an earlier try nothing is written. */
export async function keepAnswer(
  { store, storage, secrets, config }: Services,
  { id, attempt }: Trial,
  { account_id, retention_days = config.retention_days }: Owner,
  { status, headers, body, secret }: Answer,
  job_id: string | null,
): Promise<void> {
  const large = body.length > INLINE_BYTES_MAX
  const body_key = large ? `${account_id}/${job_id ?? attempt}/answer.bin` : null
  if (body_key !== null)
    await storage.put(body_key, body, { media_type: 'application/octet-stream', max_bytes: STORED_BYTES_MAX })
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1')
  const inline = large ? null : secret ? secrets.seal(text, id) : text
  const now = Date.now()
  const content_ms = Math.min(KEPT_MS, retention_days * DAY_MS)
  const erase_at = large || content_ms < KEPT_MS ? new Date(now + content_ms) : undefined
  // The row outlives its file, so that somebody still knows of the file.
  const expires_at = new Date(now + KEPT_MS + (large ? DAY_MS : 0))
  const kept = { state: 'kept' as const, job_id, status, headers, body: inline, sealed: secret, body_key, expires_at }
  await repeatUntilKnown(() =>
    store.idempotency.updateOne(
      { _id: id, attempt, state: 'running' },
      { $set: { ...kept, ...(erase_at && { erase_at }) } },
    ),
  )
}

/** Undefined where it is not here any more, or was sealed with a key that is not. */
export async function keptBody(
  { storage, secrets, log }: Services,
  { _id, body, sealed, body_key }: IdempotencyRecord,
): Promise<Uint8Array | Readable | undefined> {
  if (body_key !== null) return (await storage.open(body_key))?.body
  try {
    return body === null ? undefined : Buffer.from(sealed ? secrets.open(body, _id) : body, 'latin1')
  } catch (error) {
    log.error({ error }, 'An answer that was kept under an Idempotency-Key cannot be read; its caller is told so.')
    return undefined
  }
}

/** The answer of a job that was deleted, or whose time is over. Its file goes with those of the job. */
export async function eraseAnswer({ store }: Pick<Services, 'store'>, { idempotency }: JobRecord): Promise<void> {
  if (!idempotency) return
  const { id: _id, attempt } = idempotency
  await store.idempotency.updateOne({ _id, attempt }, EMPTIED)
}

const EMPTIED = {
  $set: { state: 'gone' as const, body: null, body_key: null, headers: {} },
  $unset: { erase_at: '' as const },
}

/** Answers whose time is over before their key's, and large ones, whose files no row may outlive. */
export async function expireAnswers(
  { store, storage }: Pick<Services, 'store' | 'storage'>,
  page: number,
): Promise<void> {
  for (;;) {
    const due = await store.idempotency
      .find({ erase_at: { $lt: new Date() } })
      .limit(page)
      .toArray()
    for (const { _id, attempt, body_key } of due) {
      if (body_key !== null) await storage.remove(body_key)
      await store.idempotency.updateOne({ _id, attempt }, EMPTIED)
    }
    if (due.length < page) return
  }
}
