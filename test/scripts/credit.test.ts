// Credit, codes, prices and the margin on the command line of admins, against a router that runs.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { ADMIN_KEY, newUser } from '../support/accounts.ts'
import { type TestApi, testApi } from '../support/api.ts'

const HOME = join(import.meta.dirname, '../..')
let api: TestApi
let cwd: string
beforeAll(async () => {
  api = await testApi()
  cwd = await mkdtemp(join(tmpdir(), 'sw-credit-'))
  await mkdir(join(cwd, 'data'))
  const known = { base_url: `${api.url}/v1`, admin_key: ADMIN_KEY, api_key: null }
  await writeFile(join(cwd, 'data/first-run.json'), JSON.stringify(known))
})
afterAll(async () => {
  await api.close()
  await rm(cwd, { recursive: true })
})
vi.setConfig({ testTimeout: 90_000 })

function admin(...words: string[]): Promise<string> {
  return new Promise((resolve) =>
    execFile(
      process.execPath,
      [join(HOME, 'scripts/admin.ts'), ...words],
      { cwd, env: { PORT: '1' } },
      (_failed, out, error) => resolve(out + error),
    ),
  )
}

it('grants credit with an end, lists its lots and takes back what is unspent', async () => {
  const { id } = await newUser(api, 'Grace')
  const terms = ['--kind', 'promotional', '--expires', '2999-01-31', '--reason', 'Trial']
  expect(await admin('grant', id, '25', ...terms)).toContain('available now: 25.000000000 USD')
  const lots = await admin('lots', id)
  expect(lots).toMatch(/promotional +25\.000000000 .*2999-01-31 00:00 +Trial/)
  const lot = /gr_\w+/.exec(lots)?.[0] ?? ''
  expect(await admin('lots', 'reclaim', lot, '5', '--reason', 'Too much')).toContain('available now: 20.000000000 USD')
  expect(await admin('grant', id, '1', '--pack', 'none', '--reason', 'r')).toContain('either amount_usd or the name')
})

it('makes codes that are shown once, and turns them off', async () => {
  const made = await admin('codes', 'add', '3', '--count', '2', '--credit-days', '30', '--reason', 'Fair')
  expect(made.match(/^([0-9A-Z]{5}-){3}[0-9A-Z]{5}$/gm)).toHaveLength(2)
  const listed = await admin('codes', '--limit', '1')
  const code = /code_\w+/.exec(listed)?.[0] ?? ''
  expect(await admin('codes', 'disable', code)).toMatch(/off/)
})

it('refuses to refund what is not there, in words', async () => {
  expect(await admin('refund', 'job_none', '--reason', 'r')).toContain("There is no job 'job_none'")
})

it('sets prices of a user, tries a table, tells the margin and reads an invoice', async () => {
  const { id } = await newUser(api, 'Linus')
  const set = await admin('prices', 'set', id, '--operation', 'video', '--discount', '0.20')
  expect(set).toMatch(/video +0\.20/)
  const price = /price_\w+/.exec(set)?.[0] ?? ''
  expect(await admin('prices', 'unset', id, price)).toContain('is taken away')
  expect(await admin('prices', 'of', id)).toContain('None.')
  expect(await admin('prices', '--provider', 'sandbox')).toContain('sandbox:sandbox/image')
  expect(await admin('prices', '--dry-run', join(HOME, 'pricing'))).toContain('0 jobs')
  expect(await admin('prices', '--dry-run', 'nowhere')).toContain('no file or folder nowhere')
  expect(await admin('margin', '--by', 'day')).toContain('None.')
  expect(await admin('margin', 'losses')).toContain('None.')
  await writeFile(join(cwd, 'invoice.csv'), 'date,model,amount_usd\n2026-11-01,image,1.5\n')
  const invoice = await admin('margin', 'invoice', 'sandbox', 'invoice.csv')
  expect(invoice).toContain('Invoiced 1.500000000 USD, expected 0.000000000 USD')
})
