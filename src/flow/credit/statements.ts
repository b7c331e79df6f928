// A month of an account as its ledger has it: what there was before, what each kind of entry came to, what was left. The
// sums are those of the entries and of nothing else, so they agree with `verify`.
import { ENTRY_SIDES } from '../../ledger/changes.ts'
import { formatUsd, type NanoUsd } from '../../ledger/money.ts'
import { ENTRY_TYPES, type EntryRecord, type EntryType } from '../../store/entries.ts'
import { type PageQuery, pageByTime } from '../../store/page.ts'
import { Failure } from '../failure.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'
import { type EntryView, entryView } from './ledger_view.ts'

type Parts = Pick<Services, 'store' | 'ledger'>

/** An entry with what it did to the credit: below zero where it took some. */
export interface StatementEntry extends EntryView {
  change_usd: string
}

export interface StatementSum {
  type: EntryType
  entries: number
  change_usd: string
}

/** `closing_usd` = `opening_usd` + every `change_usd`. Credit is what is available and what is held. */
export interface Statement {
  object: 'statement'
  account_id: string
  /** `2026-11`, in UTC. */
  month: string
  from: number | null
  to: number | null
  opening_usd: string
  sums: StatementSum[]
  closing_usd: string
}

const PAGE = 1000
const MONTH = /^(20\d\d)-(0[1-9]|1[0-2])$/

/** Throws Failure invalid_value for what is no month, or has not begun. */
export async function getStatement({ store, ledger }: Parts, account_id: string, month: string): Promise<Statement> {
  const { from, to } = spanOf(month)
  await ledger.flush()
  let opening: NanoUsd = 0n
  const sums = new Map<EntryType, { entries: number; change: NanoUsd }>()
  const before_the_end = { account_id, at: { $lt: to } }
  const found = store.entries.find(before_the_end, { projection: { type: 1, amount: 1, at: 1 } }).batchSize(PAGE)
  for await (const entry of found) {
    if (entry.at < from) {
      opening += changeOf(entry)
      continue
    }
    const { entries, change } = sums.get(entry.type) ?? { entries: 0, change: 0n }
    sums.set(entry.type, { entries: entries + 1, change: change + changeOf(entry) })
  }
  const closing = [...sums.values()].reduce((total, { change }) => total + change, opening)
  return {
    object: 'statement',
    account_id,
    month,
    from: seconds(from),
    to: seconds(to),
    opening_usd: formatUsd(opening),
    sums: ENTRY_TYPES.map((type) => {
      const { entries, change } = sums.get(type) ?? { entries: 0, change: 0n }
      return { type, entries, change_usd: formatUsd(change) }
    }),
    closing_usd: formatUsd(closing),
  }
}

/** The entries of the month, page by page. Throws as getStatement does. */
export async function listStatementEntries(
  { store }: Parts,
  account_id: string,
  month: string,
  query: PageQuery,
): Promise<{ items: StatementEntry[]; has_more: boolean }> {
  const { from, to } = spanOf(month)
  const { items, has_more } = await pageByTime(store.entries, { account_id, at: { $gte: from, $lt: to } }, query)
  return { items: items.map(statementEntry), has_more }
}

/** All entries of the month, the oldest first, one after another however many they are. Throws as getStatement does. */
export function statementEntries({ store }: Parts, account_id: string, month: string): AsyncIterable<StatementEntry> {
  const { from, to } = spanOf(month)
  return store.entries
    .find({ account_id, at: { $gte: from, $lt: to } })
    .sort({ at: 1, _id: 1 })
    .batchSize(PAGE)
    .map(statementEntry)
}

const statementEntry = (entry: EntryRecord): StatementEntry => ({
  ...entryView(entry),
  change_usd: formatUsd(changeOf(entry)),
})

const changeOf = ({ type, amount }: Pick<EntryRecord, 'type' | 'amount'>): NanoUsd =>
  ENTRY_SIDES[type].gains ? BigInt(amount) : -BigInt(amount)

function spanOf(month: string): { from: Date; to: Date } {
  const [, year, number] = MONTH.exec(month) ?? []
  if (year === undefined || number === undefined) throw noMonth("'month' is a month in UTC, like 2026-11.")
  const from = new Date(Date.UTC(Number(year), Number(number) - 1))
  if (from.getTime() > Date.now()) throw noMonth(`${month} has not begun.`)
  return { from, to: new Date(Date.UTC(Number(year), Number(number))) }
}

const noMonth = (message: string) => new Failure(400, 'invalid_value', message, { param: 'month' })
