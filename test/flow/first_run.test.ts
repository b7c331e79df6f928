// The first start and the ones after it: what is made, what is kept, and who may read it.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { getCredits } from '../../src/flow/account/accounts.ts'
import { Callers } from '../../src/flow/account/callers.ts'
import { firstRun } from '../../src/flow/account/first_run.ts'
import { verify } from '../../src/ledger/verify.ts'
import { type AccountParts, accountParts, newUser } from '../support/accounts.ts'
import { quiet } from '../support/serve.ts'

const OWN_KEY = 'chosen-by-the-operator-0123456789abcdef'

let parts: AccountParts
const folders: string[] = []
beforeAll(async () => {
  parts = await accountParts()
})
afterAll(() => parts.close())
afterEach(async () => {
  await emptyStore()
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
})

async function emptyStore() {
  const { keys, users, accounts, entries, audit } = parts.store
  await Promise.all([keys, users, accounts, entries, audit].map((each) => each.deleteMany({} as never)))
}

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'sw-first-'))
  folders.push(made)
  return made
}

/** One start of a router in a data folder. */
async function start(data_dir: string, environment: Record<string, string> = {}, url = 'http://127.0.0.1:8080') {
  const config = readConfig({ DATA_DIR: data_dir, ...environment }, data_dir)
  const callers = new Callers(parts.store, quiet)
  const told = await firstRun({ ...parts, config }, callers, url)
  const path = join(data_dir, 'first-run.json')
  const file = JSON.parse(await readFile(path, 'utf8')) as Record<string, string>
  const isAdmin = async (key: unknown) => (await callers.identify(String(key)))?.kind === 'admin'
  const account = async (key: unknown) => (await callers.identify(String(key)))?.account_id
  await callers.close()
  return { told, file, path, isAdmin, account }
}

describe('the first start on an empty store', () => {
  it('makes an admin key, a demo user with $10 and a file that only its owner reads', async () => {
    const data_dir = await folder()
    const { told, file, path, isAdmin, account } = await start(data_dir)
    expect(file).toEqual({ base_url: 'http://127.0.0.1:8080/v1', admin_key: told.admin_key, api_key: told.api_key })
    expect(told.admin_key?.length).toBeGreaterThanOrEqual(32)
    expect(await isAdmin(file.admin_key)).toBe(true)
    const credits = await getCredits(parts, String(await account(file.api_key)))
    expect(credits.available_usd).toBe('10.000000000')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(data_dir)).toEqual(['first-run.json'])
    expect(await verify(parts.store)).toMatchObject({ ok: true })
  })

  it('takes ADMIN_KEY where it is set, and shows it to nobody', async () => {
    const { told, file, isAdmin } = await start(await folder(), { ADMIN_KEY: OWN_KEY })
    expect(told.admin_key).toBeUndefined()
    expect(file.admin_key).toBe(OWN_KEY)
    expect(await isAdmin(OWN_KEY)).toBe(true)
  })

  it('makes no demo user in production, and copies no secret', async () => {
    const environment = { ADMIN_KEY: OWN_KEY, NODE_ENV: 'production', ENCRYPTION_KEYS: `k1:${'A'.repeat(43)}=` }
    const { told, file, isAdmin } = await start(await folder(), environment)
    expect(told).toEqual({})
    expect(file).toEqual({ base_url: 'http://127.0.0.1:8080/v1', admin_key: null, api_key: null })
    expect(await isAdmin(OWN_KEY)).toBe(true)
    expect(await parts.store.users.countDocuments()).toBe(0)
  })

  it('names an address that can be reached when it listens everywhere', async () => {
    const { file } = await start(await folder(), {}, 'http://0.0.0.0:9000')
    expect(file.base_url).toBe('http://127.0.0.1:9000/v1')
  })
})

describe('a later start', () => {
  it('keeps the keys, shows nothing, and follows the address', async () => {
    const data_dir = await folder()
    const first = await start(data_dir)
    const later = await start(data_dir, {}, 'http://127.0.0.1:9999')
    expect(later.told).toEqual({})
    expect(later.file).toEqual({ ...first.file, base_url: 'http://127.0.0.1:9999/v1' })
    expect(await later.isAdmin(first.file.admin_key)).toBe(true)
    expect((await stat(later.path)).mode & 0o777).toBe(0o600)
  })

  it('follows an ADMIN_KEY that was set since: the old one is nobody’s', async () => {
    const data_dir = await folder()
    const first = await start(data_dir)
    const later = await start(data_dir, { ADMIN_KEY: OWN_KEY })
    expect(later.file.admin_key).toBe(OWN_KEY)
    expect(await later.isAdmin(OWN_KEY)).toBe(true)
    expect(await later.isAdmin(first.file.admin_key)).toBe(false)
  })

  it('without the file, on a store with users, makes an admin key alone and says so', async () => {
    await newUser(parts)
    const { told, file } = await start(await folder())
    expect(told.admin_key).toBe(file.admin_key)
    expect(told.note).toContain('npm run keys')
    expect(file.api_key).toBeNull()
  })

  it('after one that was cut short before the file was written, makes the demo key again', async () => {
    const data_dir = await folder()
    await start(data_dir)
    await rm(join(data_dir, 'first-run.json'))
    const { file, account } = await start(data_dir)
    expect(await account(file.api_key)).toBe('acc_demo')
    expect((await getCredits(parts, 'acc_demo')).credits_usd).toBe('10.000000000')
  })

  it('with the file but on an empty store makes the demo key anew', async () => {
    const data_dir = await folder()
    const first = await start(data_dir)
    await emptyStore()
    const later = await start(data_dir)
    expect(later.file.admin_key).toBe(first.file.admin_key)
    expect(later.file.api_key).not.toBe(first.file.api_key)
    expect(await later.account(later.file.api_key)).toBe('acc_demo')
  })

  it('refuses a file that it cannot read, by name', async () => {
    const data_dir = await folder()
    const { path } = await start(data_dir)
    await writeFile(path, '{"base_url":')
    await expect(start(data_dir)).rejects.toThrow(path)
  })
})

describe('two routers that start at once on one empty store', () => {
  it('make one demo user with $10 once, and each a key that works', async () => {
    const [one, two] = await Promise.all([start(await folder()), start(await folder())])
    expect(await parts.store.users.countDocuments()).toBe(1)
    expect((await getCredits(parts, 'acc_demo')).credits_usd).toBe('10.000000000')
    for (const { file, account } of [one, two]) expect(await account(file.api_key)).toBe('acc_demo')
  })

  it('agree on the keys of one file when they share the folder too', async () => {
    const data_dir = await folder()
    const [one, two] = await Promise.all([start(data_dir), start(data_dir)])
    expect(one.file).toEqual(two.file)
    for (const each of [one, two]) expect(await each.isAdmin(one.file.admin_key)).toBe(true)
    expect(await parts.store.keys.countDocuments()).toBe(1)
  })
})
