// The first start: the site's admin key, a demo user with credit, and the file that tells both to whoever may read it.
// It prints nothing; what is to be shown once is in its answer.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { grant, openAccount } from '../../ledger/grants.ts'
import { NANO_PER_USD } from '../../ledger/money.ts'
import { repeatUntilKnown } from '../../ledger/writes.ts'
import type { Store } from '../../store/connect.ts'
import type { Services } from '../services.ts'
import type { Callers } from './callers.ts'
import {
  FIRST_RUN_FILE,
  type FirstRunRecord,
  readFirstRun,
  replaceFirstRun,
  writeNewFirstRun,
} from './first_run_file.ts'
import { createKey, deleteKey } from './keys.ts'

/** What is to be shown, this once: keys that were made by this start. */
export interface FirstRun {
  admin_key?: string
  api_key?: string
  /** For the operator, where the start found something unexpected. */
  note?: string
}

export type FirstRunServices = Pick<Services, 'config' | 'store' | 'ledger'>

// Named beforehand, so that two routers that start on one empty store make one demo user.
const DEMO_USER = 'usr_demo'
const DEMO_ACCOUNT = 'acc_demo'
const DEMO_GRANT = 'gr_demo'
const DEMO_CREDIT = 10n * NANO_PER_USD

/**
 * Sets the admin key and sees to DATA_DIR/first-run.json. A file that is there keeps its keys, and is brought up to date
 * with address and ADMIN_KEY. Without it a new admin key is made, and on an empty store, except in production, the demo
 * user with a key; where the store has users already, `api_key` is null. `url` is where this router listens.
 */
export async function firstRun(services: FirstRunServices, callers: Callers, url: string): Promise<FirstRun> {
  const path = join(services.config.data_dir, FIRST_RUN_FILE)
  const known = await readFirstRun(path)
  return known ? laterRun(services, callers, path, known, url) : veryFirstRun(services, callers, path, url)
}

async function veryFirstRun(
  services: FirstRunServices,
  callers: Callers,
  path: string,
  url: string,
): Promise<FirstRun> {
  const { config, store } = services
  const made = config.admin_key === undefined ? newAdminKey() : undefined
  const empty = await isEmpty(store)
  const demo = empty && !config.production ? await makeDemoKey(services, callers) : undefined
  const record = { base_url: baseUrl(url), admin_key: made ?? ownAdminKey(services), api_key: demo?.key ?? null }
  if (!(await writeNewFirstRun(path, record))) {
    // Another router that shares this folder was quicker: its keys stand.
    if (demo) await deleteKey({ ...services, callers }, demo.id, 'first_run')
    return firstRun(services, callers, url)
  }
  callers.setAdminKey(made ?? config.admin_key ?? '')
  return {
    ...(made !== undefined && { admin_key: made }),
    ...(demo && { api_key: demo.key }),
    ...(!empty && {
      note: `The store has users already, so ${path} was made without an api_key: make one with npm run keys.`,
    }),
  }
}

async function laterRun(
  services: FirstRunServices,
  callers: Callers,
  path: string,
  known: FirstRunRecord,
  url: string,
): Promise<FirstRun> {
  const { config, store } = services
  const made = config.admin_key === undefined && known.admin_key === null ? newAdminKey() : undefined
  // The file outlived the store: its key is nobody's there.
  const lost = known.api_key !== null && !config.production && !(await repeatUntilKnown(() => store.users.findOne()))
  const demo = lost ? await makeDemoKey(services, callers) : undefined
  const record = {
    base_url: baseUrl(url),
    admin_key: config.admin_key === undefined ? (made ?? known.admin_key) : ownAdminKey(services),
    api_key: demo?.key ?? known.api_key,
  }
  if (JSON.stringify(record) !== JSON.stringify(known)) await replaceFirstRun(path, record)
  callers.setAdminKey(config.admin_key ?? made ?? known.admin_key ?? '')
  return {
    ...(made !== undefined && { admin_key: made }),
    ...(demo && { api_key: demo.key, note: 'The store is empty, so the demo user and its key were made anew.' }),
  }
}

const ownAdminKey = ({ config }: FirstRunServices) => (config.production ? null : (config.admin_key ?? null))

const newAdminKey = () => `sk-sw-admin-${randomBytes(32).toString('base64url')}`

/** Listening everywhere is reached here. */
const baseUrl = (url: string) => `${url.replace('//0.0.0.0', '//127.0.0.1').replace('//[::]', '//[::1]')}/v1`

/** A demo user who never did anything is what an interrupted first start leaves: it counts as nothing. */
async function isEmpty(store: Store): Promise<boolean> {
  const [user, job] = await Promise.all([
    repeatUntilKnown(() => store.users.findOne({ _id: { $ne: DEMO_USER } }, { projection: { _id: 1 } })),
    repeatUntilKnown(() => store.jobs.findOne({}, { projection: { _id: 1 } })),
  ])
  return !user && !job
}

async function makeDemoKey(services: FirstRunServices, callers: Callers): Promise<{ id: string; key: string }> {
  const { store } = services
  await openAccount(store, DEMO_ACCOUNT, 'Demo')
  const user = { name: 'Demo', email: null, account_id: DEMO_ACCOUNT, created_at: new Date() }
  await repeatUntilKnown(() => store.users.updateOne({ _id: DEMO_USER }, { $setOnInsert: user }, { upsert: true }))
  await grant(store, {
    id: DEMO_GRANT,
    account_id: DEMO_ACCOUNT,
    amount: DEMO_CREDIT,
    reason: 'Credit to try the router with',
    by: 'first_run',
  })
  const fields = { name: 'demo', models: null, limit: null, expires_at: null }
  return createKey({ ...services, callers }, DEMO_USER, fields, 'first_run')
}
