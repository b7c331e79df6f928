// Which limits accounts and keys have, as this router last saw them: a hold is made against them, and where they have
// changed it does not match and they are read anew. What is remembered here never decides anything.
import { LRUCache } from 'lru-cache'
import type { AccountRecord, LimitKind, Limits } from '../store/accounts.ts'
import type { Store } from '../store/connect.ts'
import { allowancesOf, LIMIT_OWNERS, type LimitOwner, limitsField, type Mark, windowAt } from './limits.ts'
import { repeatUntilKnown, type UpdateStatement, update } from './writes.ts'

interface Holder {
  account_id: string
  key_id: string
}

/** The window of each limit that there is. */
type Windows = Partial<Record<LimitKind, string>>

type LimitedAccount = Pick<AccountRecord, 'keys' | 'limits'>

const REMEMBERED_MAX = 20_000
const NONE: Windows = {}

export class KnownLimits {
  readonly #store: Store
  /** Of accounts and keys that have limits; of all others nothing is kept. */
  readonly #windows = new LRUCache<string, Windows>({ max: REMEMBERED_MAX })

  constructor(store: Store) {
    this.#store = store
  }

  /** What a hold made now is counted in. */
  marks(request: Holder & { tokens?: bigint }): Mark[] {
    if (this.#windows.size === 0) return []
    return LIMIT_OWNERS.flatMap((owner) =>
      Object.entries(this.#of(owner, request)).map(([kind, window]) => ({
        owner,
        kind: kind as LimitKind,
        window,
        ...(kind === 'tokens' && { quantity: request.tokens ?? 0n }),
      })),
    )
  }

  /** Takes in how the limits stand; true where that is not how a hold with these marks took them to be. */
  learn(holder: Holder & { marks: Mark[] }, account: LimitedAccount | undefined): boolean {
    let mistaken = false
    for (const owner of LIMIT_OWNERS) {
      const standing = this.#take(owner, holder, account)
      const marked = holder.marks.filter((mark) => mark.owner === owner)
      mistaken ||= !isSame(standing, Object.fromEntries(marked.map(({ kind, window }) => [kind, window])))
    }
    return mistaken
  }

  /** Begins the windows whose time has come, for whoever asks first; all others find them begun. */
  async renew(holders: readonly Holder[], now: Date): Promise<void> {
    if (this.#windows.size === 0) return
    const due = holders.filter((holder) => LIMIT_OWNERS.some((owner) => isOver(this.#of(owner, holder), now)))
    if (due.length === 0) return
    const ids = [...new Set(due.map(({ account_id }) => account_id))]
    const projection: Record<string, 1> = { limits: 1 }
    for (const { key_id } of due) projection[`keys.${key_id}.limits`] = 1
    const read = () => this.#store.accounts.find({ _id: { $in: ids } }, { projection }).toArray()
    const before = new Map((await repeatUntilKnown(read)).map((account) => [account._id, account]))
    // By field: many holders of one account ask for the same.
    const statements = new Map(due.flatMap((holder) => renewals(holder, before.get(holder.account_id), now)))
    if (statements.size > 0)
      await repeatUntilKnown(() => update(this.#store.database, 'accounts', [...statements.values()]))
    const after = new Map((await repeatUntilKnown(read)).map((account) => [account._id, account]))
    for (const holder of due) for (const owner of LIMIT_OWNERS) this.#take(owner, holder, after.get(holder.account_id))
  }

  #take(owner: LimitOwner, holder: Holder, account: LimitedAccount | undefined): Windows {
    const limits = limitsOf(owner, holder, account)
    const standing: Windows = Object.fromEntries(allowancesOf(limits).map(([kind, { window }]) => [kind, window]))
    if (!isSame(standing, this.#of(owner, holder))) this.#windows.set(nameOf(owner, holder), standing)
    return standing
  }

  #of(owner: LimitOwner, holder: Holder): Windows {
    return this.#windows.get(nameOf(owner, holder)) ?? NONE
  }
}

const nameOf = (owner: LimitOwner, { account_id, key_id }: Holder) => (owner === 'account' ? account_id : key_id)

const limitsOf = (owner: LimitOwner, { key_id }: Holder, account: LimitedAccount | undefined): Limits | undefined =>
  owner === 'account' ? account?.limits : account?.keys?.[key_id]?.limits

const isSame = (one: Windows, other: Windows) => {
  const kinds = Object.keys(one) as LimitKind[]
  return kinds.length === Object.keys(other).length && kinds.every((kind) => one[kind] === other[kind])
}

const isOver = (windows: Windows, now: Date) =>
  Object.entries(windows).some(([kind, window]) => windowAt(kind as LimitKind, window, now) !== window)

/** A window follows on the one that was read, with the limit that was read: only one router can make it so. */
function renewals(holder: Holder, account: LimitedAccount | undefined, now: Date): [string, UpdateStatement][] {
  const { account_id, key_id } = holder
  return LIMIT_OWNERS.flatMap((owner) =>
    allowancesOf(limitsOf(owner, holder, account)).flatMap(([kind, { window, limit }]) => {
      const next = windowAt(kind, window, now)
      if (next === window) return []
      const field = `${limitsField(owner, key_id)}.${kind}`
      const q = { _id: account_id, [`${field}.window`]: window, [`${field}.limit`]: limit }
      const u = { $set: { [field]: { window: next, limit, room: limit, held: 0n, settled: 0n } } }
      return [[`${account_id} ${field}`, { q, u }] as [string, UpdateStatement]]
    }),
  )
}
