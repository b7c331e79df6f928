// Adding up jobs: of what each one used and cost become sums by account, day, key, model and operation. Exact: money is
// added as whole nano-dollars. It reads jobs page by page and changes nothing.
import { METERS, type Meters } from '../../contract.ts'
import type { JobRecord } from '../../store/jobs.ts'
import type { UsageSum } from '../../store/usage.ts'
import { lowestId, timeOf } from '../ids.ts'
import type { Services } from '../services.ts'

/** From this on, and before that. */
export interface Span {
  from: Date
  to: Date
}

export interface DatedSum extends UsageSum {
  account_id: string
  user_id: string
  /** `2026-11-20`, in UTC, by the id of the job. */
  day: string
}

type Used = Pick<JobRecord, '_id' | 'account_id' | 'user_id' | 'key_id' | 'model' | 'operation' | 'cost' | 'usage'>

const FIELDS = { account_id: 1, user_id: 1, key_id: 1, model: 1, operation: 1, cost: 1, 'usage.meters': 1 }
/** So many at once: others are served in between. */
const PAGE = 1000

export const DAY_MS = 86_400_000
export const dayOf = (at: Date): string => at.toISOString().slice(0, 10)
export const startOf = (day: string): Date => new Date(`${day}T00:00:00Z`)

/** What was charged of the jobs of an account, or of all; each as a sum of its own. */
export async function* chargedJobs(
  { store }: Pick<Services, 'store'>,
  { from, to }: Span,
  account_id?: string,
): AsyncGenerator<DatedSum> {
  const query = {
    ...(account_id !== undefined && { account_id }),
    // By the index of ids, which rise with time.
    _id: { $gte: lowestId('job', from), $lt: lowestId('job', to) },
    state: { $in: ['settling' as const, 'settled' as const] },
  }
  for await (const job of store.jobs.find<Used>(query, { projection: FIELDS }).batchSize(PAGE)) yield sumOf(job)
}

function sumOf({ _id, account_id, user_id, key_id, model, operation, cost, usage }: Used): DatedSum {
  const { meters = {} } = (usage ?? {}) as { meters?: Meters }
  const day = dayOf(timeOf(_id))
  return { account_id, user_id, day, key_id, model, operation, jobs: 1, cost: BigInt(cost ?? 0n), meters }
}

/** Sums under names. One a report. */
export class Sums<Group> {
  readonly #sums = new Map<string, { group: Group; jobs: number; cost: bigint; meters: Meters }>()

  add(name: string, group: () => Group, { jobs, cost, meters }: Pick<UsageSum, 'jobs' | 'cost' | 'meters'>): void {
    const sum = this.#sums.get(name) ?? { group: group(), jobs: 0, cost: 0n, meters: {} }
    this.#sums.set(name, sum)
    sum.jobs += jobs
    sum.cost += cost
    for (const meter of METERS) {
      const quantity = Number(meters[meter] ?? 0)
      if (quantity > 0) sum.meters[meter] = (sum.meters[meter] ?? 0) + quantity
    }
  }

  get size(): number {
    return this.#sums.size
  }

  values() {
    return [...this.#sums.values()]
  }
}
