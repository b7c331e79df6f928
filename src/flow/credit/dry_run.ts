// A new price table tried on past jobs: what they would have cost, and which of them it has no price for. It changes nothing,
// neither the jobs nor the prices in use.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Operation, Usage } from '../../contract.ts'
import { formatUsd, type NanoUsd } from '../../ledger/money.ts'
import { cost, UnpricedUsage } from '../../pricing/cost.ts'
import { loadPrices, type PricedModel, type Prices } from '../../pricing/load.ts'
import type { Quote } from '../../pricing/schema.ts'
import { quoteAt, siteAdjustment } from '../../pricing/selling.ts'
import type { JobRecord } from '../../store/jobs.ts'
import { Failure } from '../failure.ts'
import { lowestId } from '../ids.ts'
import type { Services } from '../services.ts'

const JOBS_MAX = 1_000_000
const EXAMPLES_MAX = 20
const PAGE = 1000

export interface DryRunRequest {
  /** Texts of price files by their names: `openai.toml`, `site.toml`. */
  files: Record<string, string>
  /** Jobs that were created from this on, and before that. */
  from: Date
  to: Date
}

export interface DryRunRow {
  provider: string
  model: string
  jobs: number
  /** What was charged, and what would be. */
  old_usd: string
  new_usd: string
  difference_usd: string
  /** At the provider's list price. */
  old_list_usd: string
  new_list_usd: string
  /** Jobs without a price in the new table; they count in none of the sums. */
  unpriced: number
}

export interface DryRunView {
  object: 'dry_run'
  jobs: number
  /** Jobs of providers that the new table says nothing of: left as they are. */
  untouched: number
  old_usd: string
  new_usd: string
  difference_usd: string
  unpriced: number
  /** Some of those without a price, with the reason. */
  unpriced_jobs: { job_id: string; provider: string; model: string; reason: string }[]
  data: DryRunRow[]
  /** Whether there were more jobs than are looked at. */
  truncated: boolean
}

type PastJob = Pick<JobRecord, '_id' | 'model' | 'operation' | 'offers' | 'offer' | 'usage' | 'cost' | 'list_cost'>

/** Throws Failure invalid_configuration with every fault of the files. */
export async function dryRun({ store }: Pick<Services, 'store'>, request: DryRunRequest): Promise<DryRunView> {
  const table = new Table(await readPrices(request.files))
  const tally = new Tally()
  const ids = { $gte: lowestId('job', request.from), $lt: lowestId('job', request.to) }
  const projection = { model: 1, operation: 1, offers: 1, offer: 1, usage: 1, cost: 1, list_cost: 1 }
  const jobs = store.jobs
    .find({ _id: ids, state: { $in: ['settling', 'settled'] } }, { projection })
    .sort({ _id: 1 })
    .limit(JOBS_MAX + 1)
    .batchSize(PAGE)
  for await (const job of jobs) {
    if (tally.jobs === JOBS_MAX) return { ...tally.view(), truncated: true }
    tally.add(job, table)
  }
  return tally.view()
}

/** As a reload would read them: the loader knows folders. */
async function readPrices(files: Record<string, string>): Promise<Prices> {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-prices-'))
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
    const prices = loadPrices([folder], folder)
    if (prices.faults.length === 0) return prices
    throw new Failure(422, 'invalid_configuration', `The price table has ${prices.faults.length} faults.`, {
      facts: { faults: prices.faults },
    })
  } finally {
    await rm(folder, { recursive: true })
  }
}

type Repriced = { amount: NanoUsd; list_amount: NanoUsd } | { reason: string }

class Table {
  readonly #prices: Prices
  /** One for each entry: rates are read once. */
  readonly #quotes = new Map<PricedModel, Quote>()

  constructor(prices: Prices) {
    this.#prices = prices
  }

  /** Undefined where the table says nothing of the provider. */
  price({ model, operation, offers, offer, usage }: PastJob): Repriced | undefined {
    const held = offers[offer]
    const models = held && this.#prices.providers.get(held.provider)
    if (!held || !models) return undefined
    // Nothing was made, so nothing is charged for at any price.
    if (usage === null) return { amount: 0n, list_amount: 0n }
    const entry = models.get(model) ?? models.get(`${model.split('/', 1)[0]}/*`)
    if (!entry?.operation.includes(operation)) return { reason: `the new table has no price for ${model}` }
    const old = held.quote as unknown as Quote
    const adjustment = this.#prices.site_file
      ? siteAdjustment(this.#prices.site, entry.name, operation as Operation)
      : old.adjustment
    try {
      return cost(usage as unknown as Usage, quoteAt(this.#quoteOf(entry), adjustment))
    } catch (error) {
      if (error instanceof UnpricedUsage) return { reason: error.message }
      throw error
    }
  }

  /** The last of its price blocks, whenever that begins: it is what is tried. */
  #quoteOf(entry: PricedModel): Quote {
    const known = this.#quotes.get(entry)
    if (known) return known
    const block = entry.prices.at(-1)
    const quote = { rates: block?.rates ?? [], adjustment: {}, from: block?.from ?? '', source: entry.source }
    this.#quotes.set(entry, quote)
    return quote
  }
}

interface Sums {
  provider: string
  model: string
  jobs: number
  unpriced: number
  old: NanoUsd
  new: NanoUsd
  old_list: NanoUsd
  new_list: NanoUsd
}

class Tally {
  jobs = 0
  #untouched = 0
  readonly #sums = new Map<string, Sums>()
  readonly #examples: DryRunView['unpriced_jobs'] = []

  add(job: PastJob, table: Table): void {
    this.jobs++
    const priced = table.price(job)
    if (!priced) return void this.#untouched++
    const { _id: job_id, model } = job
    const provider = job.offers[job.offer]?.provider ?? ''
    const name = JSON.stringify([provider, model])
    const zero = { old: 0n, new: 0n, old_list: 0n, new_list: 0n }
    const sums = this.#sums.get(name) ?? { provider, model, jobs: 0, unpriced: 0, ...zero }
    this.#sums.set(name, sums)
    sums.jobs++
    if ('reason' in priced) {
      sums.unpriced++
      if (this.#examples.length < EXAMPLES_MAX) this.#examples.push({ job_id, provider, model, reason: priced.reason })
      return
    }
    sums.old += job.cost ?? 0n
    sums.new += priced.amount
    sums.old_list += job.list_cost ?? 0n
    sums.new_list += priced.list_amount
  }

  view(): DryRunView {
    const all = [...this.#sums.values()]
    const total = (field: 'old' | 'new') => all.reduce((sum, row) => sum + row[field], 0n)
    return {
      object: 'dry_run',
      jobs: this.jobs,
      untouched: this.#untouched,
      old_usd: formatUsd(total('old')),
      new_usd: formatUsd(total('new')),
      difference_usd: formatUsd(total('new') - total('old')),
      unpriced: all.reduce((sum, { unpriced }) => sum + unpriced, 0),
      unpriced_jobs: this.#examples,
      data: all.sort((a, b) => (a.model < b.model ? -1 : 1)).map(rowView),
      truncated: false,
    }
  }
}

const rowView = ({ provider, model, jobs, unpriced, ...sums }: Sums): DryRunRow => ({
  ...{ provider, model, jobs },
  old_usd: formatUsd(sums.old),
  new_usd: formatUsd(sums.new),
  difference_usd: formatUsd(sums.new - sums.old),
  old_list_usd: formatUsd(sums.old_list),
  new_list_usd: formatUsd(sums.new_list),
  unpriced,
})
