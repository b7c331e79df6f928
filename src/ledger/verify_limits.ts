// Proves the limits of one account: in each window what is held is what open holds say, what is settled is what entries
// say, and the rest is room. It only reads.
import { setTimeout as pause } from 'node:timers/promises'
import type { AccountRecord, Allowance, LimitKind } from '../store/accounts.ts'
import type { Store } from '../store/connect.ts'
import {
  allowancesOf,
  isMoney,
  type LimitOwner,
  limitsField,
  type Mark,
  marksOf,
  takenBy,
  windowField,
} from './limits.ts'
import { formatUsd } from './money.ts'
import type { Drift } from './verify.ts'

interface Limited {
  owner: LimitOwner
  /** Empty for the account's own. */
  key_id: string
  kind: LimitKind
  allowance: Allowance
}

const REREAD_MS = 100
const HOUR_MS = 3600_000

export const hasLimits = ({ limits, keys }: Pick<AccountRecord, 'limits' | 'keys'>): boolean =>
  limits !== undefined || Object.values(keys).some((key) => key.limits !== undefined)

/**
 * What differs is looked at again for so long: work goes on meanwhile. What a window has settled only grows, so what its
 * charges add up to lies between two looks at the account.
 */
export async function limitDrift(store: Store, account_id: string, differs_ms: number): Promise<Drift[]> {
  const until = Date.now() + differs_ms
  for (;;) {
    const settling = await settlingJobs(store, account_id)
    const before = await store.accounts.findOne({ _id: account_id })
    if (!before) return []
    const charged = await chargedIn(store, before, settling)
    const after = await store.accounts.findOne({ _id: account_id })
    if (!after) return []
    const settled = new Map(limitsOf(before).map((limited) => [nameOf(limited), limited.allowance.settled]))
    const found = limitsOf(after).flatMap((limited) => {
      const sum = charged.get(nameOf(limited))
      const least = settled.get(nameOf(limited))
      const agrees = sum === undefined || (least !== undefined && least <= sum && sum <= limited.allowance.settled)
      return faultsOf(after, limited, agrees ? undefined : sum)
    })
    if (found.length === 0 || Date.now() > until) return found
    await pause(REREAD_MS)
  }
}

const nameOf = ({ owner, key_id, kind, allowance }: Limited) =>
  `${limitsField(owner, key_id)}.${kind} ${allowance.window}`

function limitsOf({ limits, keys }: AccountRecord): Limited[] {
  const own = allowancesOf(limits).map(([kind, allowance]) => ({
    owner: 'account' as const,
    key_id: '',
    kind,
    allowance,
  }))
  const ofKeys = Object.entries(keys).flatMap(([key_id, spend]) =>
    allowancesOf(spend.limits).map(([kind, allowance]) => ({ owner: 'key' as const, key_id, kind, allowance })),
  )
  return [...own, ...ofKeys]
}

function faultsOf(account: AccountRecord, limited: Limited, charged: bigint | undefined): Drift[] {
  const { owner, key_id, kind, allowance } = limited
  const { window, limit, room, held, settled } = allowance
  const taken = Object.values(account.holds)
    .filter((hold) => owner === 'account' || hold.key_id === key_id)
    .flatMap(({ nonce, amount }) =>
      marksOf(nonce)
        .filter((mark) => isOf(limited, mark) && mark.window === window)
        .map((mark) => takenBy(mark, amount)),
    )
    .reduce((sum, each) => sum + each, 0n)
  const named = nameOf(limited)
  const checks: [what: string, expected: bigint, found: bigint][] = [
    [`limit of ${named}`, limit, room + held + settled],
    [`held in ${named}`, taken, held],
    [`settled in ${named}`, charged ?? settled, settled],
  ]
  const text = (quantity: bigint) => (isMoney(kind) ? formatUsd(quantity) : String(quantity))
  return checks
    .filter(([, expected, found]) => expected !== found)
    .map(([what, expected, found]) => ({
      account_id: account._id,
      what,
      expected_usd: text(expected),
      found_usd: text(found),
    }))
}

const isOf = ({ owner, kind }: Limited, mark: Mark) => mark.owner === owner && mark.kind === kind

/** What the charges of each window of money add up to, those included whose entry may be on its way. */
async function chargedIn(store: Store, account: AccountRecord, settling: Settling[]): Promise<Map<string, bigint>> {
  const applied = settling.filter((job) => account.holds[job._id]?.nonce !== job.nonce)
  const charged = new Map<string, bigint>()
  for (const limited of limitsOf(account)) {
    const { owner, key_id, kind, allowance } = limited
    if (!isMoney(kind)) continue
    const counted = applied
      .filter((job) => owner === 'account' || job.key_id === key_id)
      .filter(({ nonce }) => marksOf(nonce).some((mark) => isOf(limited, mark) && mark.window === allowance.window))
      .reduce((sum, { cost }) => sum + (cost ?? 0n), 0n)
    charged.set(nameOf(limited), counted + (await journaled(store, account._id, limited, applied)))
  }
  return charged
}

async function journaled(
  { entries }: Store,
  account_id: string,
  { owner, key_id, kind, allowance }: Limited,
  applied: Settling[],
): Promise<bigint> {
  const begin = Date.parse(allowance.window)
  const match = {
    account_id,
    type: 'settle',
    // Nothing is charged before it was held; the hour is for clocks of routers that differ.
    ...(!Number.isNaN(begin) && { at: { $gte: new Date(begin - HOUR_MS) } }),
    [`windows.${windowField(owner, kind)}`]: allowance.window,
    ...(owner === 'key' && { key_id }),
    job_id: { $nin: applied.map(({ _id }) => _id) },
  }
  const [total] = await entries
    .aggregate<{ amount: bigint }>([{ $match: match }, { $group: { _id: null, amount: { $sum: '$amount' } } }])
    .toArray()
  return BigInt(total?.amount ?? 0)
}

interface Settling {
  _id: string
  account_id: string
  key_id: string
  nonce: string
  cost: bigint | null
}

/** Jobs that are being settled: their charge may be in the account, in the entries, or on its way between the two. */
async function settlingJobs({ jobs }: Store, account_id: string): Promise<Settling[]> {
  const projection = { account_id: 1, key_id: 1, nonce: 1, cost: 1 }
  const settling = await jobs.find({ state: 'settling', 'lease.owner': { $exists: true } }, { projection }).toArray()
  return settling.filter((job) => job.account_id === account_id)
}
