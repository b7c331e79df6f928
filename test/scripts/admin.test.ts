// The command line of admins: against a router that runs, and on the store itself where none does.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { connectStore } from '../../src/store/connect.ts'
import { startEmbeddedStore } from '../../src/store/embedded/start.ts'
import { ADMIN_KEY, newUser } from '../support/accounts.ts'
import { type TestApi, testApi } from '../support/api.ts'

const SCRIPT = join(import.meta.dirname, '../../scripts/admin.ts')

interface Ran {
  code: number
  out: string
  error: string
}

/** The script as `npm run` starts it, in a folder of its own and with nothing of the machine's environment. */
function admin(cwd: string, ...words: string[]): Promise<Ran> {
  return new Promise((resolve) =>
    execFile(process.execPath, [SCRIPT, ...words], { cwd, env: { PORT: '1' } }, (failed, out, error) =>
      resolve({ code: failed ? Number(failed.code) : 0, out, error }),
    ),
  )
}

const folders: string[] = []
async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'sw-admin-'))
  folders.push(made)
  await mkdir(join(made, 'data'))
  return made
}
afterAll(() => Promise.all(folders.map((made) => rm(made, { recursive: true, force: true }))))

// Each command is a process of its own, and each test has several.
vi.setConfig({ testTimeout: 90_000 })

describe('where a router runs', () => {
  let api: TestApi
  let cwd: string
  beforeAll(async () => {
    api = await testApi()
    cwd = await folder()
    await firstRunFile(ADMIN_KEY)
  })
  afterAll(() => api.close())

  const firstRunFile = (admin_key: string) =>
    writeFile(join(cwd, 'data/first-run.json'), JSON.stringify({ base_url: `${api.url}/v1`, admin_key, api_key: null }))

  it('its API is asked: a user, credit, a key, and books that add up', async () => {
    const { id } = await newUser(api, 'Grace')
    const users = await admin(cwd, 'users')
    expect(users).toMatchObject({ code: 0, error: '' })
    expect(users.out).toMatch(new RegExp(`^USER .*AVAILABLE.*\n${id} +Grace`))
    const granted = await admin(cwd, 'grant', id, '25.00', '--reason', 'Invoice 17')
    expect(granted.out).toContain('available now: 25.000000000 USD')
    const made = await admin(
      cwd,
      'keys',
      'add',
      id,
      'laptop',
      '--limit',
      '5.00',
      '--models',
      'sandbox/chat',
      '--retention-days',
      '30',
    )
    expect(made.out).toMatch(/^sk-sw-\w{49}\n/)
    const keys = JSON.parse((await admin(cwd, 'keys', '--user', id, '--json')).out)
    expect(keys).toMatchObject({
      object: 'list',
      data: [{ name: 'laptop', limit_usd: '5.000000000', retention_days: 30 }],
    })
    const changed = await admin(cwd, 'keys', 'retention', String(keys.data[0].id), 'site', '--json')
    expect(JSON.parse(changed.out)).toMatchObject({ retention_days: null })
    expect((await admin(cwd, 'keys', 'disable', keys.data[0].id)).out).toContain(' off ')
    expect(await admin(cwd, 'verify')).toMatchObject({ code: 0, out: expect.stringContaining('The books add up') })
  })

  it('limits keys and accounts, takes limits away, and rotates a key', async () => {
    const { id } = JSON.parse((await admin(cwd, 'users', 'add', 'Grace', '--json')).out)
    const account = await admin(cwd, 'users', 'limit', id, '--monthly', '20', '--jobs', '8')
    expect(account.out).toMatch(/limit_monthly_usd: 20\.000000000[\s\S]*jobs_at_once: 8/)
    const made = JSON.parse((await admin(cwd, 'keys', 'add', id, 'ci', '--daily', '1.50', '--json')).out)
    const terms = ['--requests', '60', '--operations', 'chat,image', '--ips', '10.0.0.0/8', '--models', 'sandbox/*']
    const limited = await admin(cwd, 'keys', 'limit', made.id, ...terms, '--daily', 'none', '--json')
    expect(JSON.parse(limited.out)).toMatchObject({
      limit_daily_usd: null,
      requests_per_minute: 60,
      operations: ['chat', 'image'],
      allowed_ips: ['10.0.0.0/8'],
      models: ['sandbox/*'],
    })
    const mistyped = await admin(cwd, 'keys', 'limit', made.id, '--requests', 'many')
    expect([mistyped.code, mistyped.error]).toEqual([1, expect.stringContaining('requests_per_minute')])
    const rotated = JSON.parse((await admin(cwd, 'keys', 'rotate', made.id, '--grace', '60', '--json')).out)
    expect(rotated).toMatchObject({ id: made.id, requests_per_minute: 60, previous: { prefix: made.prefix } })
    expect(rotated.key).not.toBe(made.key)
    expect(await admin(cwd, 'verify')).toMatchObject({ code: 0, out: expect.stringContaining('The books add up') })
  })

  it('what it refuses is told in its own words, with exit code 1', async () => {
    const refused = await admin(cwd, 'grant', 'usr_nobody', '1', '--reason', 'r')
    expect([refused.code, refused.out]).toEqual([1, ''])
    expect(refused.error).toContain("There is no user 'usr_nobody'")
  })

  it('a wrong admin key is told as such', async () => {
    await firstRunFile('not-the-key-of-this-router-0123456789')
    const refused = await admin(cwd, 'users')
    await firstRunFile(ADMIN_KEY)
    expect([refused.code, refused.error]).toEqual([1, expect.stringContaining('refuses the admin key')])
  })
})

describe('where no router runs', () => {
  it('works on the store itself, and says by exit code that the books are off', async () => {
    const cwd = await folder()
    const { out } = await admin(cwd, 'users', 'add', 'Ada', '--json')
    const { account_id } = JSON.parse(out)
    expect((await admin(cwd, 'verify')).code).toBe(0)
    const embedded = await startEmbeddedStore({ data_dir: join(cwd, 'data'), sync: 'normal' })
    const store = await connectStore(embedded.uri)
    await store.accounts.updateOne({ _id: account_id }, { $inc: { settled: 1n } })
    await store.close()
    await embedded.close()
    const verified = await admin(cwd, 'verify')
    expect(verified.code).toBe(1)
    expect(verified.out).toMatch(new RegExp(`${account_id} +settled +0.000000000 +0.000000001`))
  })

  it('leaves a store alone that another process has', async () => {
    const cwd = await folder()
    const embedded = await startEmbeddedStore({ data_dir: join(cwd, 'data'), sync: 'normal' })
    const refused = await admin(cwd, 'users')
    await embedded.close()
    expect([refused.code, refused.error]).toEqual([1, expect.stringContaining('No router answers')])
  })
})
