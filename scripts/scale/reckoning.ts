// The reckoning of the scale run: every job against what its vendor did, its price and its entry. Each difference is a
// violation, in words.
import { parseUsd } from '../../src/ledger/money.ts'
import type { Store } from '../../src/store/connect.ts'
import { SECONDS } from './adapter.ts'
import { type FilmReport, VENDORS, type VendorReport } from './vendors.ts'

export interface Reckoning {
  faults: string[]
  outcomes: Map<string, number>
  /** Milliseconds from the completion at the vendor until the job says so, by vendor. */
  lags: Map<string, number[]>
  polls_per_film: Map<string, number>
}

const FIELDS = { state: 1, decision: 1, cost: 1, hold: 1, error: 1, offers: 1, completed_at: 1, outputs: 1 } as const

/** `accepted`: jobs that callers were told of; `since`: the warm-up is left out of the times. */
export async function reckon(
  store: Store,
  vendors: VendorReport[],
  accepted: readonly string[],
  since: Date,
): Promise<Reckoning> {
  const films = new Map(vendors.flatMap((vendor) => vendor.films.map((film): [string, FilmReport] => [film.job, film])))
  const entries = new Map<string, bigint[]>()
  for await (const { job_id, amount } of store.entries.find({ type: 'settle' })) {
    entries.set(job_id ?? '', [...(entries.get(job_id ?? '') ?? []), amount])
  }
  const price = new Map(
    VENDORS.map(({ id, usd_per_second }) => [id, (parseUsd(usd_per_second) ?? 0n) * BigInt(SECONDS)]),
  )
  const reckoning: Reckoning = { faults: [], outcomes: new Map(), lags: new Map(), polls_per_film: new Map() }
  const { faults, outcomes, lags } = reckoning
  const unseen = new Set(accepted)
  for await (const job of store.jobs.find({}, { projection: { ...FIELDS, created_at: 1 } })) {
    const { _id, state, decision, cost, error, completed_at, created_at } = job
    unseen.delete(_id)
    const film = films.get(_id)
    const vendor = job.offers[0]?.provider ?? ''
    const name = `job ${_id} of ${vendor} (${decision?.status ?? state})`
    if (film && film.doubles > 0) faults.push(`${name} was submitted ${film.doubles + 1} times`)
    const amounts = entries.get(_id) ?? []
    const outcome = state === 'settled' ? 'completed' : (error?.message ?? state)
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    if (state === 'settled') {
      if (amounts.length !== 1) faults.push(`${name} has ${amounts.length} entries`)
      if (cost !== price.get(vendor) || amounts[0] !== cost)
        faults.push(`${name} cost ${cost}, and not ${price.get(vendor)}`)
      if (!film || film.fails) faults.push(`${name} was charged, and its film is not there`)
      if (job.outputs.length === 0) faults.push(`${name} was charged, and has no file`)
      if (film && completed_at && created_at >= since) {
        const of_vendor = lags.get(vendor) ?? []
        of_vendor.push(completed_at.getTime() - film.completed_at)
        lags.set(vendor, of_vendor)
      }
    } else if (state === 'released') {
      if (amounts.length > 0 || cost !== null) faults.push(`${name} was released, and charged`)
      if (film && !film.fails && !/interrupted|stopped while/.test(error?.message ?? ''))
        faults.push(`${name} was released, and its film was made: ${error?.message}`)
    } else faults.push(`${name} has not come to its end`)
  }
  for (const id of unseen) faults.push(`job ${id} was accepted, and is not there`)
  for await (const { _id, held } of store.accounts.find({ held: { $ne: 0n } }))
    faults.push(`account ${_id} still holds ${held} nano-USD`)
  for (const { id, films: made } of vendors) {
    const polls = made.reduce((sum, film) => sum + film.polls, 0)
    reckoning.polls_per_film.set(id, polls / Math.max(1, made.length))
  }
  return reckoning
}
