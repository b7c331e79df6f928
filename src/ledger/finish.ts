// What follows a decision (S6 to S8): the account is changed, the entry is journaled, the job is closed. Each step is
// idempotent, so anyone may repeat it from the job alone; batched, and late by at most a quarter of a second.
import { Batch } from '../store/batch.ts'
import { certainly } from '../store/client_options.ts'
import type { Store } from '../store/connect.ts'
import type { EntryRecord } from '../store/entries.ts'
import type { JobDecision } from '../store/jobs.ts'
import { byAccount, oncePerJob } from './by_account.ts'
import { faultPoint } from './fault_point.ts'
import { limitsField, type Mark, marksOf, moneyWindows, takenBy, usedOf } from './limits.ts'
import type { NanoUsd } from './money.ts'
import { isDuplicate, isRefused, repeatUntilKnown, type UpdateStatement, update } from './writes.ts'

/** A decided job: in state settling (with its cost) or releasing (without). */
export interface Decided {
  job_id: string
  account_id: string
  key_id: string
  nonce: string
  hold: NanoUsd
  cost: NanoUsd | undefined
  /** How many tokens there were, for limits that count them; absent: as many as were expected. */
  tokens?: bigint
  decided_at: Date
  /** How the job ended, for whoever is told of it before the job is closed. */
  ending?: Ending
}

export interface Ending {
  status: JobDecision['status']
  /** Where its own request wants it told. */
  webhook_url?: string
}

/** Runs before jobs are closed: what it wrote is there when nobody looks for them any more. Must bear being repeated. */
export type BeforeClose = (decided: Decided[]) => Promise<void>

/** Only for decisions that are majority-committed: one's own acknowledged, or one read back with majority. */
export function finishBatch(store: Store, linger_ms: number, beforeClose?: BeforeClose): Batch<Decided, void> {
  return new Batch(
    async (decided) => {
      await apply(store, decided)
      faultPoint('K10')
      await journal(store, decided)
      faultPoint('K11')
      await beforeClose?.(decided)
      await close(store, decided)
      faultPoint('K12')
      return decided.map(() => undefined)
    },
    { items_max: 300, linger_ms, apart: isRefused },
  )
}

/** S6: matches the nonce and the amount of the hold, so that it can only ever happen once. */
async function apply(store: Store, decided: Decided[]): Promise<void> {
  const groups = byWindows(byAccount(oncePerJob(decided)))
  const matched = await repeatUntilKnown(() => update(store.database, 'accounts', groups.map(statement)))
  if (matched === groups.length) return
  // Some were applied before, or their hold was never made, or (after a lost answer) all of them went through.
  let open = decided
  for (let attempt = 1; attempt <= APPLY_TRIES; attempt++) {
    open = await stillHeld(store, open)
    if (open.length === 0) return
    const alone = open.map((each) => statement([each]))
    await repeatUntilKnown(() => update(store.database, 'accounts', alone))
  }
  const { job_id, account_id } = open[0] as Decided
  throw new Error(`The hold of job ${job_id} cannot be taken out of account ${account_id}.`)
}

/** How often holds are looked at again: their amounts may change in between (an extension), but not for ever. */
const APPLY_TRIES = 20

interface Standing extends Decided {
  /** Limits whose window is another by now: what was held in the old one is forgotten with it. */
  over?: Mark[]
}

/** Those whose hold is there, each with the amount that it has now and the limits that it no longer counts in. */
async function stillHeld(store: Store, decided: Decided[]): Promise<Standing[]> {
  const ids = [...new Set(decided.map(({ account_id }) => account_id))]
  const projection: Record<string, 1> = { limits: 1 }
  for (const { job_id, key_id } of decided) {
    projection[`holds.${job_id}`] = 1
    projection[`keys.${key_id}.limits`] = 1
  }
  // A hold that is not found counts as taken out, so it must not be one that this reader has not heard of yet.
  const options = { projection, ...certainly(store) }
  const found = await repeatUntilKnown(() => store.accounts.find({ _id: { $in: ids } }, options).toArray())
  const accounts = new Map(found.map((account) => [account._id, account]))
  return decided.flatMap((each) => {
    const account = accounts.get(each.account_id)
    const hold = account?.holds?.[each.job_id]
    if (!account || hold?.nonce !== each.nonce) return []
    const limits = { account: account.limits, key: account.keys?.[each.key_id]?.limits }
    const over = marksOf(each.nonce).filter(({ owner, kind, window }) => limits[owner]?.[kind]?.window !== window)
    return [{ ...each, hold: hold.amount, over }]
  })
}

/** One statement can name but one window of a limit: holds of yesterday and of today are taken out by two. */
const byWindows = (groups: Decided[][]): Decided[][] =>
  groups.flatMap((group) => [
    ...Map.groupBy(group, ({ nonce }) =>
      marksOf(nonce)
        .map(({ owner, kind, window }) => `${owner} ${kind} ${window}`)
        .join(),
    ).values(),
  ])

/** Takes all holds of one account out of it, or none of them. */
function statement(group: Standing[]): UpdateStatement {
  const q: Record<string, unknown> = { _id: group[0]?.account_id }
  const $inc: Record<string, bigint> = {}
  const $unset: Record<string, ''> = {}
  const add = (name: string, amount: NanoUsd) => {
    $inc[name] = ($inc[name] ?? 0n) + amount
  }
  for (const each of group) {
    const { job_id, key_id, nonce, hold, cost = 0n } = each
    giveBack(each, q, add)
    q[`holds.${job_id}.nonce`] = nonce
    q[`holds.${job_id}.amount`] = hold
    $unset[`holds.${job_id}`] = ''
    for (const prefix of ['', `keys.${key_id}.`]) {
      add(`${prefix}held`, -hold)
      add(prefix === '' ? 'available' : `${prefix}room`, hold - cost)
      if (cost > 0n) add(`${prefix}settled`, cost)
    }
  }
  return { q, u: { $inc, $unset } }
}

/** What the hold took of limits and the job did not use, where their windows are still those of the hold. */
function giveBack(
  { key_id, nonce, hold, cost, tokens, over = [] }: Standing,
  q: Record<string, unknown>,
  add: (name: string, quantity: bigint) => void,
): void {
  for (const mark of marksOf(nonce)) {
    const field = `${limitsField(mark.owner, key_id)}.${mark.kind}`
    if (over.some(({ owner, kind }) => owner === mark.owner && kind === mark.kind)) {
      q[`${field}.window`] = { $ne: mark.window }
      continue
    }
    const taken = takenBy(mark, hold)
    const used = usedOf(mark, cost, tokens)
    q[`${field}.window`] = mark.window
    add(`${field}.held`, -taken)
    add(`${field}.room`, taken - used)
    add(`${field}.settled`, used)
  }
}

/** S7: one entry a settled job, under an id that only this settlement can have. */
async function journal(store: Store, decided: Decided[]): Promise<void> {
  const entries = decided.flatMap((each) => (each.cost === undefined ? [] : [settlementEntry(each, each.cost)]))
  if (entries.length === 0) return
  await repeatUntilKnown(() =>
    store.entries.insertMany(entries, { ordered: false }).catch((error: unknown) => {
      if (!isDuplicate(error)) throw error
    }),
  )
}

function settlementEntry({ job_id, account_id, key_id, nonce, decided_at }: Decided, cost: NanoUsd): EntryRecord {
  const windows = moneyWindows(nonce)
  return {
    _id: `${job_id}:f`,
    account_id,
    type: 'settle',
    amount: cost,
    legs: [
      { ledger: `account:${account_id}`, amount: -cost },
      { ledger: 'revenue', amount: cost },
    ],
    job_id,
    key_id,
    reason: null,
    by: null,
    ...(windows && { windows }),
    at: decided_at,
    ...(cost === 0n ? { lots: [] } : { unattributed: true }),
  }
}

/** S8: the job is at rest; nothing looks for it any more, and its request is erased. */
async function close(store: Store, decided: Decided[]): Promise<void> {
  const ids = (settled: boolean) =>
    decided.filter(({ cost }) => (cost !== undefined) === settled).map(({ job_id }) => job_id)
  const statements = [closing(ids(true), 'settling', 'settled'), closing(ids(false), 'releasing', 'released')].filter(
    ({ q }) => q._id.$in.length > 0,
  )
  await repeatUntilKnown(() => update(store.database, 'jobs', statements))
}

const closing = (ids: string[], from: string, to: string) => ({
  q: { _id: { $in: ids }, state: from },
  u: { $set: { state: to, request: null }, $unset: { 'lease.owner': '' } },
  multi: true,
})
