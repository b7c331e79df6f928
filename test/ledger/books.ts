// Accounts and jobs for tests of the ledger, on a real store, and a store whose writes get lost, come late or are
// changed on their way.
import { randomUUID } from 'node:crypto'
import mongoose from 'mongoose'
import { grant, limitKey, openAccount } from '../../src/ledger/grants.ts'
import type { NanoUsd } from '../../src/ledger/money.ts'
import type { AccountRecord } from '../../src/store/accounts.ts'
import type { Store } from '../../src/store/connect.ts'
import type { JobRecord } from '../../src/store/jobs.ts'

export interface Books {
  store: Store
  account_id: string
  key_id: string
}

let made = 0
/** Letters and digits, as our own ids are: they stand in names of fields. */
const id = (prefix: string) => `${prefix}_${(++made).toString(36).padStart(4, '0')}${randomUUID().slice(0, 8)}`

/** An account with credit and a key, on the store of the test. */
export async function openBooks(store: Store, credit: NanoUsd, limit: NanoUsd | null = null): Promise<Books> {
  const account_id = id('acc')
  await openAccount(store, account_id, 'Test')
  if (credit > 0n) await grant(store, { id: id('gr'), account_id, amount: credit, reason: 'Test', by: 'test' })
  return { store, account_id, key_id: await addKey(store, account_id, limit) }
}

export async function addKey(store: Store, account_id: string, limit: NanoUsd | null): Promise<string> {
  const key_id = id('key')
  await limitKey(store, account_id, key_id, limit)
  await store.keys.insertOne({
    _id: key_id,
    hash: randomUUID(),
    prefix: 'sk-sw-test',
    name: 'test',
    user_id: 'usr_test',
    account_id,
    kind: 'caller',
    models: null,
    limit,
    disabled: false,
    expires_at: null,
    created_at: new Date(),
    last_used_at: null,
  })
  return key_id
}

/** As an admin does it: the key first, then the account. */
export async function setLimit({ store, account_id, key_id }: Books, limit: NanoUsd | null): Promise<void> {
  await store.keys.updateOne({ _id: key_id }, { $set: { limit } })
  await limitKey(store, account_id, key_id, limit)
}

/** The intent of a job (S1), as the flow writes it. */
export async function insertJob({ store, account_id, key_id }: Books, hold: NanoUsd): Promise<JobRecord> {
  const job: JobRecord = {
    _id: id('job'),
    account_id,
    user_id: 'usr_test',
    key_id,
    operation: 'chat',
    endpoint: 'chat.completions',
    model: 'sandbox/chat',
    offers: [],
    offer: 0,
    mode: 'sync',
    state: 'new',
    nonce: '',
    hold,
    cost: null,
    list_cost: null,
    lines: [],
    usage: null,
    decision: null,
    lease: { owner: 'rtr_test', fence: 0 },
    polls: 0,
    ref: null,
    percent: 0,
    deadline: new Date(Date.now() + 60_000),
    attempts: [],
    outputs: [],
    error: null,
    request: null,
    request_key: null,
    echo: {},
    metadata: {},
    request_id: 'req_test',
    created_at: new Date(),
    started_at: null,
    completed_at: null,
    deleted_at: null,
  }
  await store.jobs.insertOne(job)
  return job
}

export async function accountOf({ store, account_id }: Books): Promise<AccountRecord> {
  const account = await store.accounts.findOne({ _id: account_id })
  if (!account) throw new Error('The account of the test is gone.')
  return account
}

export const jobOf = async ({ store }: Books, job_id: string): Promise<JobRecord> => {
  const job = await store.jobs.findOne({ _id: job_id })
  if (!job) throw new Error(`Job ${job_id} is gone.`)
  return job
}

/** Whether `credits = available + held + settled`, held is the sum of the holds, and every key adds up. */
export function balances({ credits, available, held, settled, holds, keys }: AccountRecord): boolean {
  const open = Object.values(holds)
  return (
    available >= 0n &&
    credits === available + held + settled &&
    held === sum(open.map(({ amount }) => amount)) &&
    settled === sum(Object.values(keys).map((key) => key.settled)) &&
    held === sum(Object.values(keys).map((key) => key.held))
  )
}

export const sum = (amounts: NanoUsd[]): NanoUsd => amounts.reduce((total, amount) => total + amount, 0n)

/** What happens to a write on its way: carried out; lost before or after it was; or carried out when `land` is called. */
export type Fate = 'arrives' | 'lost before' | 'lost after' | 'late'

export interface Line {
  store: Store
  /** Carries out what is late; answers how many writes that were. */
  land(): Promise<number>
}

// biome-ignore lint/suspicious/noExplicitAny: whatever a write of the driver takes passes through unread.
type Write = (...given: any[]) => Promise<unknown>

/**
 * The same store behind a line on which each write meets the next fate; reads pass. `alter` may change a command or a
 * document on its way, as a faulty version of the code would have sent it.
 */
export function behindLine(
  store: Store,
  fate: (write: string) => Fate,
  alter: (write: string, given: unknown[]) => void = () => undefined,
): Line {
  const late: (() => Promise<unknown>)[] = []
  const through =
    (name: string, write: Write): Write =>
    async (...given) => {
      alter(name, given)
      const met = fate(name)
      if (met === 'arrives') return write(...given)
      if (met === 'lost after') await write(...given).catch(() => undefined)
      if (met === 'late') late.push(() => write(...given))
      throw new mongoose.mongo.MongoNetworkError(`the line broke: ${met}`)
    }
  const wrap = <Target extends object>(name: string, target: Target, writes: readonly string[]): Target =>
    new Proxy(target, {
      get(of, member) {
        const value: unknown = Reflect.get(of, member, of)
        if (typeof value !== 'function') return value
        const bound = value.bind(of) as Write
        return writes.includes(String(member)) ? through(`${name}.${String(member)}`, bound) : bound
      },
    })
  const writes = ['insertOne', 'insertMany', 'updateOne']
  return {
    store: {
      ...store,
      database: wrap('database', store.database, ['command']),
      accounts: wrap('accounts', store.accounts, writes),
      entries: wrap('entries', store.entries, writes),
      lots: wrap('lots', store.lots, writes),
      lot_books: wrap('lot_books', store.lot_books, writes),
      jobs: wrap('jobs', store.jobs, writes),
    },
    async land() {
      const landing = late.splice(0)
      for (const write of landing) await write().catch(() => undefined)
      return landing.length
    },
  }
}
