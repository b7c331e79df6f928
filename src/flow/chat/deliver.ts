// Delivering a stream: bytes go on as they come and as fast as the reader takes them; the charge is durable before the
// last of them. A reader who leaves has detached: the work is read to its end, within bounds, and stays readable as a job.
import { ProviderError } from '../../contract.ts'
import { faultPoint } from '../../ledger/fault_point.ts'
import { type NanoUsd, shortUsd } from '../../ledger/money.ts'
import type { AnswerEnd, ChatFront } from '../../protocols/front.ts'
import type { JobOutput, JobRecord } from '../../store/jobs.ts'
import { reasonOf } from '../attempts.ts'
import { failureOf } from '../failure.ts'
import { keepNow } from '../media/keep_late.ts'
import type { KeepAnswer } from '../media/outputs.ts'
import type { Services } from '../services.ts'
import { jobError, release, settle } from '../settle.ts'
import type { Sink } from '../sink.ts'
import { canceled, isCancel, type Work } from '../work.ts'
import type { ChatStream } from './chat_stream.ts'
import { chargeable, countedUsage } from './counted.ts'
import { storeTranscript, Transcript } from './transcript.ts'

/** Readers who left cost work for nobody: so many at once, so long and so much each. */
const DRAINS_MAX = 200
const DRAIN_MS_MAX = 60_000
const DRAIN_BYTES_MAX = 8 * 2 ** 20
let drains = 0

export interface Delivery {
  front: ChatFront
  /** Keeps every answer, whoever reads it. */
  keep?: KeepAnswer
  begun?: (job: JobRecord, first: Uint8Array) => void
}

/** Answers the cost of a whole stream. Never rejects: whatever happens is told to the reader in the stream, and to the log. */
export async function deliver(
  services: Services,
  work: Work,
  { front, keep: always, begun }: Delivery,
  stream: ChatStream,
  sink: Sink,
): Promise<NanoUsd | undefined> {
  const transcript = new Transcript()
  const reading = { ...(await relay(work, stream, { sink, transcript, begun })), keeps: always !== undefined }
  try {
    const end = stream.finish()
    const usage = end.usage ?? countedUsage(work, end.output_bytes)
    const keep = () => storeTranscript(services, work, { front, stream, transcript, usage }, always)
    const cost = await conclude(services, work, end, reading, keep)
    if (cost === undefined) return fail(tellsErrors(stream, front), sink, reading.error ?? end.error ?? canceled())
    sink.write(stream.tail(shortUsd(cost), usage))
    sink.end()
    // Who left while the charge was written has not had the last of it.
    if (sink.gone && !reading.detached && !reading.keeps) await keepNow(services, work.job, keep)
    return cost
  } catch (error) {
    services.log.error({ job: work.job._id, error }, 'A stream could not be concluded.')
    if (!work.decided) await giveBack(services, work, error)
    return fail(tellsErrors(stream, front), sink, error)
  } finally {
    work.events?.end()
  }
}

/** What was made could not be kept for the reader who left: nothing is charged for it. */
async function giveBack(services: Services, work: Work, error: unknown): Promise<void> {
  await release(services, work, error, 'failed').catch((reason: unknown) =>
    services.log.error({ job: work.job._id, error: reason }, 'A job could not be released; recovery will do it.'),
  )
}

interface Reading {
  /** What broke the stream off, if anything did. */
  error?: unknown
  detached: boolean
  /** The reader had left and the bounds of reading on for nobody were reached. */
  abandoned: boolean
}

/** Somebody came back for a stream whose first reader has left. */
const isRead = ({ events }: Work) => (events?.readers ?? 0) > 0

async function relay(
  work: Work,
  stream: ChatStream,
  { sink, transcript, begun }: { sink: Sink; transcript: Transcript; begun: Delivery['begun'] | undefined },
): Promise<Reading> {
  const reading: Reading = { detached: false, abandoned: false }
  let first = true
  let left_bytes = 0
  // A provider that falls silent brings no chunk at which the time could be looked at.
  let too_long: NodeJS.Timeout | undefined
  try {
    for await (const chunk of stream.chunks) {
      if (first) begun?.(work.job, chunk)
      first = false
      transcript.push(chunk)
      work.events?.push(chunk)
      if (!reading.detached) {
        const behind = sink.write(chunk)
        faultPoint('K7')
        if (behind) await behind
        if (!sink.gone) continue
        reading.detached = true
        too_long = setTimeout(function giveUp() {
          if (isRead(work)) {
            too_long = setTimeout(giveUp, DRAIN_MS_MAX)
            return
          }
          reading.abandoned = true
          work.abort.abort(canceled())
        }, DRAIN_MS_MAX)
        drains++
      }
      if (!isRead(work)) left_bytes += chunk.length
      reading.abandoned ||= drains > DRAINS_MAX || left_bytes > DRAIN_BYTES_MAX
      if (reading.abandoned) break
    }
    if (work.abort.signal.aborted) reading.error = work.abort.signal.reason
  } catch (error) {
    reading.error = reasonOf(work, error)
  } finally {
    clearTimeout(too_long)
    if (reading.detached) drains--
  }
  return reading
}

/** Decides the job; answers the cost when the whole stream was charged, undefined when its reader must be told of a failure. */
async function conclude(
  services: Services,
  work: Work,
  end: AnswerEnd,
  reading: Reading & { keeps: boolean },
  keep: () => Promise<JobOutput[]>,
): Promise<NanoUsd | undefined> {
  if (reading.abandoned || (reading.error !== undefined && isCancel(reading.error))) {
    await settleDelivered(services, work, end, reading, keep)
    return undefined
  }
  const failure = reading.error ?? end.error ?? (end.complete ? undefined : brokenOff())
  if (failure !== undefined) {
    reading.error = failure
    await release(services, work, failure, 'failed')
    return undefined
  }
  const outputs = reading.detached || reading.keeps ? await keep() : []
  return settle(services, work, { usage: chargeable(end, work), outputs })
}

const brokenOff = () => new ProviderError('bad_response', 'The stream ended without its end.')

/** What was delivered is charged and nothing more; where nothing was, nothing is. Who left can read it as far as it went. */
async function settleDelivered(
  services: Services,
  work: Work,
  end: AnswerEnd,
  { detached, abandoned }: Reading,
  keep: () => Promise<JobOutput[]>,
): Promise<void> {
  if (!end.has_output) return void (await release(services, work, canceled(), 'canceled'))
  const usage = end.usage ?? countedUsage(work, end.output_bytes)
  const outputs = detached ? await keep() : []
  await settle(services, work, { usage, status: abandoned ? 'completed' : 'canceled', outputs })
}

const tellsErrors = (stream: ChatStream, front: ChatFront) => stream.errorEvent ?? front.errorEvent

/** After the first byte a failure is one event in the stream, then the connection closes without an end marker. */
function fail(errorEvent: ChatFront['errorEvent'], sink: Sink, error: unknown): undefined {
  if (sink.gone) return
  const { message, type, code } = jobError(failureOf(error))
  sink.write(Buffer.from(errorEvent({ message, type, code })))
  sink.end()
}
