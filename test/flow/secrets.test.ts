// Encryption at rest and signatures: what was changed, moved or made by another key is refused; keys can be rotated.
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigError, parseEncryptionKeys, readConfig } from '../../src/config.ts'
import { ENCRYPTION_KEYS_FILE, loadEncryptionKeys } from '../../src/flow/account/encryption_keys.ts'
import { Secrets } from '../../src/flow/account/secrets.ts'

const key = (id: string) => ({ id, key: randomBytes(32) })
const [k1, k2] = [key('k1'), key('k2')]
const old = new Secrets([k1])
const rotated = new Secrets([k2, k1])
const foreign = new Secrets([{ ...key('k1') }])

describe('a sealed secret', () => {
  it('opens where it belongs, and never looks twice the same', () => {
    const sealed = old.seal('whsec_abc', 'wh_1')
    expect(sealed).toMatch(/^k1\.[\w-]+$/)
    expect(sealed).not.toContain('whsec')
    expect(old.seal('whsec_abc', 'wh_1')).not.toBe(sealed)
    expect(old.open(sealed, 'wh_1')).toBe('whsec_abc')
  })

  it('opens after a new key was put in front, which seals from then on', () => {
    expect(rotated.open(old.seal('s', 'c'), 'c')).toBe('s')
    expect(rotated.seal('s', 'c')).toMatch(/^k2\./)
    expect(() => old.open(rotated.seal('s', 'c'), 'c')).toThrow("the key 'k2', which ENCRYPTION_KEYS does not have")
  })

  it.each([
    ['in another place', (sealed: string) => old.open(sealed, 'wh_2')],
    ['with another key of that name', (sealed: string) => foreign.open(sealed, 'wh_1')],
    [
      'after a change',
      (sealed: string) => old.open(`${sealed.slice(0, -2)}${sealed.endsWith('AA') ? 'BB' : 'AA'}`, 'wh_1'),
    ],
    ['when cut', (sealed: string) => old.open(sealed.slice(0, 20), 'wh_1')],
  ])('does not open %s', (_how, open) => {
    expect(() => open(old.seal('secret', 'wh_1'))).toThrow()
  })
})

describe('a signature', () => {
  it('is good for its purpose and its parts alone', () => {
    const signature = old.sign('output', ['job_1', 0, 99])
    expect(old.verify('output', ['job_1', 0, 99], signature)).toBe(true)
    for (const parts of [
      ['job_1', 1, 99],
      ['job_1', 0, 100],
      ['job_10', '', 99],
      ['job_1', 0],
    ])
      expect(old.verify('output', parts, signature)).toBe(false)
    expect(old.verify('hook', ['job_1', 0, 99], signature)).toBe(false)
    expect(foreign.verify('output', ['job_1', 0, 99], signature)).toBe(false)
  })

  it('stays good under an older key, and has one form', () => {
    const signature = old.sign('hook', ['x'])
    expect(rotated.verify('hook', ['x'], signature)).toBe(true)
    expect(old.verify('hook', ['x'], rotated.sign('hook', ['x']))).toBe(false)
    for (const other of ['', 'x', `${signature}=`, ` ${signature}`, signature.slice(1), `${signature}A`])
      expect(rotated.verify('hook', ['x'], other)).toBe(false)
  })
})

describe('the keys', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sw-keys-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))
  const load = (environment = {}) => loadEncryptionKeys(readConfig({ DATA_DIR: folder, ...environment }, folder))

  it('are made once, for their owner alone, and kept', async () => {
    const [one, other] = await Promise.all([load(), load()])
    expect(one).toEqual(other)
    expect(await load()).toEqual(one)
    expect(one[0]?.key).toHaveLength(32)
    expect(await readdir(folder)).toEqual([ENCRYPTION_KEYS_FILE])
    expect((await stat(join(folder, ENCRYPTION_KEYS_FILE))).mode & 0o777).toBe(0o600)
  })

  it('are those of ENCRYPTION_KEYS where it is set, and then no file is made', async () => {
    const text = `new:${k2.key.toString('base64')}, old:${k1.key.toString('base64url')}`
    expect(await load({ ENCRYPTION_KEYS: text })).toEqual([
      { id: 'new', key: k2.key },
      { id: 'old', key: k1.key },
    ])
    expect(await readdir(folder)).toEqual([])
  })

  it('are never made anew over a file that cannot be read', async () => {
    await writeFile(join(folder, ENCRYPTION_KEYS_FILE), 'half a k')
    await expect(load()).rejects.toThrow(/encryption-keys cannot be read\. Put its copy back/)
  })

  it.each(['k1', 'k1:short', `k1:${'A'.repeat(43)},k1:${'B'.repeat(43)}`, `K 1:${'A'.repeat(43)}`, ''])(
    'are refused as %j',
    (text) => {
      expect(parseEncryptionKeys(text)).toBeUndefined()
    },
  )

  it('are required in production, and a fault in them does not show them', () => {
    const environment = { NODE_ENV: 'production', ADMIN_KEY: 'x'.repeat(32) }
    expect(() => readConfig(environment, folder)).toThrow(/^ENCRYPTION_KEYS: required with NODE_ENV=production/)
    const error = (() => {
      try {
        readConfig({ ...environment, ENCRYPTION_KEYS: 'k1:secret' }, folder)
      } catch (reason) {
        return reason
      }
    })()
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as Error).message).toMatch(/^ENCRYPTION_KEYS: must be keys like/)
    expect((error as Error).message).not.toContain('k1:secret')
  })
})
