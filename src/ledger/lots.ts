// The allocator: it attributes what was settled to the lots that bear it, first expiring first, and refunds to the lots they
// came from. Late, in steps that anyone may repeat; it never changes an account, and nothing waits for it.
import type { Store } from '../store/connect.ts'
import type { EntryRecord } from '../store/entries.ts'
import type { LotBookRecord, LotPart, LotRecord } from '../store/lots.ts'
import { ignoreDuplicate, journalChanges, lotOf, PLAIN_TERMS } from './changes.ts'
import { draw, givenBack, inSpendingOrder, partsOf, type Share, sharesOf } from './lot_order.ts'
import type { NanoUsd } from './money.ts'
import { repeatUntilKnown, type UpdateStatement, update } from './writes.ts'

/** Entries in one step. */
const ENTRIES_MAX = 1000
const DAY_MS = 24 * 3600 * 1000
/** What a refund gives back to a lot that has expired can be spent for so long. */
export const REFUND_DAYS = 30

/** What a step makes of the book. */
export interface Step {
  attributed: NanoUsd
  /** Lots as they are after it, whole. */
  lots: LotRecord[]
  opened: LotRecord[]
  parts: LotBookRecord['parts']
  taking: LotBookRecord['taking']
}

/**
 * Attributes what is not attributed yet, and answers the book as it then stands, carried out, or undefined where there is
 * no such account. `short`: entries that the lots cannot bear, which only damaged books have.
 */
export async function allocate(
  store: Store,
  account_id: string,
): Promise<{ book: LotBookRecord; short: boolean } | undefined> {
  for (let journaled = false; ; ) {
    const book = await openLotBook(store, account_id)
    if (!book) return undefined
    if (book.taking) {
      await finishTaking(store, book)
      continue
    }
    const entries = await unattributed(store, account_id)
    if (entries.length === 0) return { book, short: false }
    const step = await attribute(store, book, entries)
    if (step) {
      await takeStep(store, book, step)
      continue
    }
    if (journaled) return { book, short: true }
    // A grant whose router died before its lot was written.
    const account = await repeatUntilKnown(() => store.accounts.findOne({ _id: account_id }))
    if (account) await journalChanges(store, account)
    journaled = true
  }
}

/** The account's book with its last step carried out; made where the account has none yet. */
async function openLotBook(store: Store, account_id: string): Promise<LotBookRecord | undefined> {
  for (;;) {
    const book = await repeatUntilKnown(() => store.lot_books.findOne({ _id: account_id }))
    if (book) {
      if (book.due) await carryOut(store, book)
      return book
    }
    if (!(await makeLotBook(store, account_id))) return undefined
  }
}

/** Accounts of before there were lots have grants without one, and charges that were never attributed. */
async function makeLotBook(store: Store, account_id: string): Promise<boolean> {
  const account = await repeatUntilKnown(() => store.accounts.findOne({ _id: account_id }))
  if (!account) return false
  await journalChanges(store, account)
  const grants = await repeatUntilKnown(() =>
    store.entries.find({ account_id, type: 'grant', lots: { $exists: false } }).toArray(),
  )
  const lots = grants.map(({ _id: id, amount, reason, at }) =>
    lotOf(account_id, { id, amount, reason: reason ?? '', at, terms: PLAIN_TERMS }),
  )
  if (lots.length > 0)
    await repeatUntilKnown(() => store.lots.insertMany(lots, { ordered: false }).catch(ignoreDuplicate))
  const charges = { account_id, type: 'settle' as const, lots: { $exists: false }, amount: { $gt: 0n } }
  await repeatUntilKnown(() => store.entries.updateMany(charges, { $set: { unattributed: true } }))
  const book: LotBookRecord = {
    ...{ _id: account_id, step: 0, attributed: 0n },
    ...{ lots: [], opened: [], parts: [], taking: null },
  }
  await repeatUntilKnown(() => store.lot_books.insertOne(book).catch(ignoreDuplicate))
  return true
}

type Unattributed = Pick<EntryRecord, '_id' | 'type' | 'amount' | 'job_id' | 'before' | 'at' | 'reason'>

function unattributed({ entries }: Store, account_id: string): Promise<Unattributed[]> {
  const projection = { type: 1, amount: 1, job_id: 1, before: 1, at: 1, reason: 1 }
  return repeatUntilKnown(() =>
    entries
      .find({ unattributed: true, account_id }, { projection })
      .sort({ at: 1, _id: 1 })
      .limit(ENTRIES_MAX)
      .toArray(),
  )
}

/** Lots of an account that have something left, in the order in which they are spent. */
export async function openLots({ lots }: Store, account_id: string): Promise<LotRecord[]> {
  return inSpendingOrder(await repeatUntilKnown(() => lots.find({ account_id, open: true }).toArray()))
}

/** Undefined where the lots cannot bear the first of the entries. */
async function attribute(store: Store, book: LotBookRecord, entries: Unattributed[]): Promise<Step | undefined> {
  const refunds = entries.filter(({ type }) => type === 'refund')
  const charges = await chargesOf(store, refunds)
  const lots = new Map<string, LotRecord>()
  for (const lot of await openLots(store, book._id)) lots.set(lot._id, lot)
  await addLots(
    store,
    lots,
    [...charges.values()].flatMap((shares) => shares.map(({ lot }) => lot)),
  )
  const desk = new Desk(lots)
  let { attributed } = book
  for (const entry of entries) {
    const { type, job_id, amount } = entry
    if (type === 'settle') {
      if (!desk.spend(entry)) break
      attributed += amount
    } else {
      const charge = charges.get(job_id ?? '')
      // Its job's charge has to have its lots first: it is in this step at the latest, and the next one sees it.
      if (!charge) continue
      desk.refund(entry, charge)
      attributed -= amount
    }
  }
  const { changed, opened, parts } = desk
  return parts.size === 0
    ? undefined
    : { attributed, lots: changed(), opened, parts: [...parts.values()], taking: null }
}

/** By job: which lots bore the charge that a refund gives back. */
async function chargesOf({ entries }: Store, refunds: Unattributed[]): Promise<Map<string, Share[]>> {
  if (refunds.length === 0) return new Map()
  const ids = refunds.map(({ job_id }) => `${job_id}:f`)
  const charges = await repeatUntilKnown(() =>
    entries.find({ _id: { $in: ids }, lots: { $exists: true } }, { projection: { lots: 1, amount: 1 } }).toArray(),
  )
  return new Map(charges.map(({ _id, lots = [], amount }) => [_id.slice(0, -':f'.length), sharesOf(lots, amount)]))
}

async function addLots(store: Store, lots: Map<string, LotRecord>, ids: string[]): Promise<void> {
  const missing = [...new Set(ids)].filter((id) => !lots.has(id))
  if (missing.length === 0) return
  for (const lot of await repeatUntilKnown(() => store.lots.find({ _id: { $in: missing } }).toArray()))
    lots.set(lot._id, lot)
}

/** Where one step is worked out: lots are changed here, and nowhere else yet. */
class Desk {
  readonly opened: LotRecord[] = []
  readonly parts = new Map<string, { lots: LotPart[]; entries: string[] }>()
  readonly #lots: Map<string, LotRecord>
  readonly #touched = new Set<LotRecord>()
  #order: LotRecord[]

  constructor(lots: Map<string, LotRecord>) {
    this.#lots = new Map([...lots].map(([id, lot]) => [id, { ...lot }]))
    this.#order = inSpendingOrder([...this.#lots.values()])
  }

  changed = (): LotRecord[] => [...this.#touched].filter((lot) => !this.opened.includes(lot))

  /** False where the lots have not enough. */
  spend({ _id, amount }: Unattributed): boolean {
    const shares = draw(this.#order, amount)
    if (!shares) return false
    for (const { lot, amount: share } of shares) this.#move(this.#lots.get(lot), share)
    // So that what is used up is not looked at for each of a thousand entries.
    const first = this.#order.findIndex(({ remaining }) => remaining > 0n)
    if (first !== 0) this.#order = first < 0 ? [] : this.#order.slice(first)
    this.#write(_id, shares)
    return true
  }

  refund({ _id, amount, before = 0n, at, reason }: Unattributed, charge: Share[]): void {
    const shares = givenBack(charge, before, amount).map(({ lot: id, amount: share }): Share => {
      const lot = this.#lots.get(id)
      if (!lot) throw new Error(`Lot ${id} is not in the store.`)
      const expired = lot.expires_at !== null && lot.expires_at <= at
      if (expired) return { lot: this.#reopen(lot, _id, share, at, reason ?? ''), amount: share }
      this.#move(lot, -share)
      return { lot: id, amount: share }
    })
    this.#order = inSpendingOrder([...this.#lots.values()].filter(({ remaining }) => remaining > 0n))
    this.#write(_id, shares)
  }

  /** Credit that comes back to a lot whose time is over would be gone at once: it gets a time of its own. */
  #reopen({ _id, account_id, kind }: LotRecord, refund: string, amount: NanoUsd, at: Date, reason: string): string {
    const expires_at = new Date(at.getTime() + REFUND_DAYS * DAY_MS)
    const terms = { kind, expires_at, source: { type: 'refund' as const, id: refund } }
    const lot = lotOf(account_id, { id: `${refund}:${_id}`, amount, reason, at, terms })
    this.opened.push(lot)
    this.#lots.set(lot._id, lot)
    this.#touched.add(lot)
    return lot._id
  }

  #move(lot: LotRecord | undefined, amount: NanoUsd): void {
    if (!lot) return
    lot.remaining -= amount
    lot.spent += amount
    this.#touched.add(lot)
  }

  #write(entry: string, shares: Share[]): void {
    const lots = partsOf(shares)
    const alike = lots.length === 1 ? (lots[0]?.lot ?? '') : entry
    const part = this.parts.get(alike) ?? { lots, entries: [] }
    part.entries.push(entry)
    this.parts.set(alike, part)
  }
}

/** Makes the step the book's next one and carries it out; false where another router was faster. */
export async function takeStep(store: Store, book: LotBookRecord, step: Step): Promise<boolean> {
  const next = {
    ...step,
    step: book.step + 1,
    lots: step.lots.map(({ _id, remaining, spent, expired, reclaimed }) => ({
      ...{ _id, remaining, spent, expired, reclaimed },
    })),
    due: new Date(),
  }
  // Repeated after a lost answer it matches nothing, and the book that is read next tells what became of it.
  const { matchedCount } = await repeatUntilKnown(() =>
    store.lot_books.updateOne({ _id: book._id, step: book.step }, { $set: next }),
  )
  if (matchedCount === 1) await carryOut(store, { _id: book._id, ...next })
  return matchedCount === 1
}

/** Each write matches only while it is still to be done, so that any of them may come twice, or late. */
async function carryOut(store: Store, book: LotBookRecord): Promise<void> {
  const { _id, step, opened, parts } = book
  if (opened.length > 0)
    await repeatUntilKnown(() => store.lots.insertMany(opened, { ordered: false }).catch(ignoreDuplicate))
  const lots = book.lots.map(({ _id: lot, ...state }): UpdateStatement => {
    const empty = state.remaining === 0n
    const change = { ...state, step, ...(!empty && { open: true }) }
    return { q: { _id: lot, step: { $lt: step } }, u: { $set: change, ...(empty && { $unset: { open: '' } }) } }
  })
  if (lots.length > 0) await repeatUntilKnown(() => update(store.database, 'lots', lots))
  const entries = parts.map(
    ({ lots: shares, entries: ids }): UpdateStatement => ({
      q: { _id: { $in: ids }, unattributed: true },
      u: { $set: { lots: shares }, $unset: { unattributed: '' } },
      multi: true,
    }),
  )
  if (entries.length > 0) await repeatUntilKnown(() => update(store.database, 'entries', entries))
  // What is being taken is the next step's business, which is due until then.
  if (book.taking) return
  await repeatUntilKnown(() => store.lot_books.updateOne({ _id, step }, { $unset: { due: '' } }))
}

/**
 * Takes credit out of the account that its lot has given up already. The account itself decides, once for each id: what
 * stands under it there, even a zero, is what was taken, whoever tried and however late.
 */
async function finishTaking(store: Store, book: LotBookRecord): Promise<void> {
  const { _id: account_id, taking } = book
  if (!taking) return
  const taken = await takeOut(store, account_id, taking)
  const lot = await repeatUntilKnown(() => store.lots.findOne({ _id: taking.lot }))
  if (!lot) throw new Error(`Lot ${taking.lot} is not in the store.`)
  lot.remaining += taking.amount - taken
  lot[taking.type === 'expire' ? 'expired' : 'reclaimed'] += taken
  await takeStep(store, book, { attributed: book.attributed, lots: [lot], opened: [], parts: [], taking: null })
}

async function takeOut(
  store: Store,
  account_id: string,
  { id, type, lot, amount: most, whole, reason, by }: NonNullable<LotBookRecord['taking']>,
): Promise<NanoUsd> {
  for (;;) {
    const entry = await repeatUntilKnown(() => store.entries.findOne({ _id: id }, { projection: { amount: 1 } }))
    if (entry) return entry.amount
    const account = await repeatUntilKnown(() =>
      store.accounts.findOne({ _id: account_id }, { projection: { available: 1, applied: 1 } }),
    )
    if (!account) throw new Error(`Account ${account_id} is not in the store.`)
    const change = account.applied.find((each) => each.id === id)
    if (change) {
      await journalChanges(store, account)
      return change.amount
    }
    const enough = account.available >= most
    const available = account.available > 0n ? account.available : 0n
    const amount = enough ? most : whole ? 0n : available
    await repeatUntilKnown(() =>
      store.accounts.updateOne(
        { _id: account_id, 'applied.id': { $ne: id }, ...(amount > 0n && { available: { $gte: amount } }) },
        {
          $inc: { credits: -amount, available: -amount },
          $push: { applied: { id, type, amount, reason, by, at: new Date(), lot } },
        },
      ),
    )
  }
}
