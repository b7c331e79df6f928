// `npm run new-provider` in a folder of its own: what it writes is a provider that keeps to the contract as it stands.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { loadPrices } from '../../src/pricing/load.ts'
import { describeProvider } from '../providers/conformance.ts'

const root = join(import.meta.dirname, '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'switchyard-scaffold-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

mkdirSync(join(folder, 'test'))
for (const shared of ['src', 'node_modules', 'test/providers']) symlinkSync(join(root, shared), join(folder, shared))
writeFileSync(join(folder, 'package.json'), '{"type":"module"}')

function scaffold(...words: string[]) {
  const script = join(root, 'scripts', 'new-provider.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...words], { cwd: folder, encoding: 'utf8' })
  return { status, stdout, stderr }
}

const first = scaffold('my-cloud')
const read = (path: string) => readFileSync(join(folder, path), 'utf8')

describe('npm run new-provider', () => {
  it('writes adapter, prices and fixture, and says what comes next', () => {
    expect(first).toMatchObject({ status: 0, stderr: '' })
    expect(first.stdout).toContain('wrote providers/my-cloud.ts')
    expect(first.stdout).toContain('MY_CLOUD_API_KEY=')
    expect(read('providers/my-cloud.ts')).toContain("name: 'My Cloud'")
    expect(readdirSync(join(folder, 'pricing'))).toEqual(['my-cloud.toml'])
    expect(readdirSync(join(folder, 'test', 'fixtures'))).toEqual(['my-cloud.ts'])
  })

  it('writes prices that load without a fault', () => {
    const { faults } = loadPrices([join(folder, 'pricing')])
    expect(faults).toEqual([])
  })

  it('changes nothing that exists', () => {
    const before = read('providers/my-cloud.ts')
    const again = scaffold('my-cloud')
    expect(again.status).toBe(1)
    expect(again.stderr).toContain('providers/my-cloud.ts')
    expect(again.stderr).toContain('exists already')
    expect(read('providers/my-cloud.ts')).toBe(before)
  })

  it.each([['Acme'], ['1st'], ['../evil'], ['a_b'], [''], ['a', 'b']])('refuses %s %s', (...words) => {
    const refused = scaffold(...words.filter((word) => word !== undefined))
    expect(refused.status).toBe(1)
    expect(refused.stderr).toMatch(/name/)
    expect(readdirSync(join(folder, 'providers'))).toEqual(['my-cloud.ts'])
  })
})

const load = (path: string) => import(pathToFileURL(join(folder, path)).href)
const { default: definition } = await load('providers/my-cloud.ts')
const { fixtures } = await load('test/fixtures/my-cloud.ts')
describeProvider('my-cloud', definition, fixtures)
