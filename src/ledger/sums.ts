// The sums of the entries, by account, with what is decided and not yet journaled. It only reads.
import type { Store } from '../store/connect.ts'
import type { EntryRecord, EntryType } from '../store/entries.ts'
import { ENTRY_SIDES } from './changes.ts'
import type { NanoUsd } from './money.ts'

export interface AccountSums {
  /** Credit given, less what expired or was taken back. */
  grants: NanoUsd
  /** Credit charged, less refunds: settled jobs, and those whose entry is on its way while their hold is gone already. */
  settled: NanoUsd
  /** By how much legs differ from the amounts of their entries. */
  crooked: NanoUsd
  /** What stands on the account's side of its entries and not on the other. */
  unanswered: NanoUsd
}

export interface Books {
  of(account_id: string): AccountSums
  accounts(): Iterable<string>
  entries: number
  pending: number
}

interface Group {
  _id: { account_id: string; type: EntryType; ledger: string }
  /** What the entries say, and what this leg of them says. */
  amount: bigint
  leg: bigint
  count: number
}

/** Which sum an entry of the type adds to, or takes from. */
const SUMS: Record<EntryType, ['grants' | 'settled', bigint]> = {
  grant: ['grants', 1n],
  expire: ['grants', -1n],
  reclaim: ['grants', -1n],
  settle: ['settled', 1n],
  refund: ['settled', -1n],
}

type Leg = EntryRecord['legs'][number]

/** Is shown every entry, in the order of their ids. */
export type Visitor = (entry: EntryRecord) => Promise<void>

/** So many at once: others have their turn in between. */
const PAGE = 1000

interface Settling {
  _id: string
  account_id: string
  nonce: string
  cost: bigint | null
}

/**
 * Of all accounts, quickly; or of one, exactly: the jobs that are being settled are read first and left out of the
 * entries, so that each is counted once, whichever write of its settlement comes in between.
 */
export async function addUp(store: Store, account_id?: string, each?: Visitor): Promise<Books> {
  const settling = await settlingJobs(store, account_id)
  const ids = settling.map(({ _id }) => _id)
  const match = account_id === undefined ? {} : { account_id, job_id: { $nin: ids } }
  const sums = new Map<string, AccountSums>()
  const of = (id: string): AccountSums => sums.get(id) ?? { grants: 0n, settled: 0n, crooked: 0n, unanswered: 0n }
  let entries = 0
  for (const { _id, amount, leg, count } of await groupLegs(store, match, each)) {
    const now = of(_id.account_id)
    const { gains: gain } = ENTRY_SIDES[_id.type]
    const own = _id.ledger === `account:${_id.account_id}`
    // The account pays what it is charged and gets what it is given; the other side is the mirror of that.
    const crooked = now.crooked + magnitude(own === gain ? leg - amount : leg + amount)
    const unanswered = now.unanswered + (own ? amount : -amount)
    const [field, sign] = SUMS[_id.type]
    sums.set(_id.account_id, { ...now, crooked, unanswered, ...(own && { [field]: now[field] + sign * amount }) })
    if (own) entries += count
  }
  if (account_id !== undefined) {
    const applied = await appliedOf(store, account_id, settling)
    sums.set(account_id, { ...of(account_id), settled: of(account_id).settled + applied })
  }
  const journaled =
    ids.length > 0 ? await store.entries.countDocuments({ _id: { $in: ids.map((id) => `${id}:f`) } }) : 0
  return { of, accounts: () => sums.keys(), entries, pending: ids.length - journaled }
}

async function settlingJobs({ jobs }: Store, account_id: string | undefined): Promise<Settling[]> {
  // Under somebody's name they all are, and that index holds open jobs alone: an account's own would hold all it ever had.
  const settling = await jobs
    .find({ state: 'settling', 'lease.owner': { $exists: true } }, { projection: { account_id: 1, nonce: 1, cost: 1 } })
    .toArray()
  return settling.filter((job) => account_id === undefined || job.account_id === account_id)
}

/**
 * Read one after another and added up here: grouped by the store, a million of them would keep a store of one thread from
 * everybody else until they are all read.
 */
async function groupLegs({ entries }: Store, match: object, each: Visitor | undefined): Promise<Iterable<Group>> {
  const groups = new Map<string, Group>()
  const found = entries.find(match).batchSize(PAGE)
  // In the order of ids the store need not sort: of one account it would have to.
  for await (const entry of each ? found.sort({ _id: 1 }) : found) {
    for (const leg of entry.legs) addLeg(groups, entry, leg)
    await each?.(entry)
  }
  return groups.values()
}

function addLeg(groups: Map<string, Group>, { account_id, type, amount }: EntryRecord, leg: Leg): void {
  const { ledger } = leg
  const name = `${account_id} ${type} ${ledger}`
  const group = groups.get(name) ?? { _id: { account_id, type, ledger }, amount: 0n, leg: 0n, count: 0 }
  group.amount += BigInt(amount)
  group.leg += BigInt(leg.amount)
  group.count++
  groups.set(name, group)
}

/** What settling jobs have taken out of the account so far: those whose hold is gone. */
async function appliedOf({ accounts }: Store, account_id: string, settling: Settling[]): Promise<NanoUsd> {
  const account = await accounts.findOne({ _id: account_id }, { projection: { holds: 1 } })
  return settling
    .filter(({ _id, nonce }) => account?.holds?.[_id]?.nonce !== nonce)
    .reduce((total, { cost }) => total + (cost ?? 0n), 0n)
}

const magnitude = (amount: NanoUsd): NanoUsd => (amount < 0n ? -amount : amount)
