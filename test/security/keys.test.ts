// Keys on two routers of one store: one that is turned off, deleted or expired stops on both within five seconds, whatever it
// has open; and a look-up of a key tells nothing by its time, because nothing of a key is ever compared piece by piece.
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { newKeyText } from '../../src/flow/account/key_text.ts'
import { Caller, Site } from '../flow/site.ts'
import { type TestStore, testStore } from '../support/store.ts'

const PROMISED_MS = 5000

let shared: TestStore
let first: Site
let second: Site
let admin: Caller
beforeAll(async () => {
  shared = await testStore()
  const environment = { MONGODB_URI: shared.uri, ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 1).toString('base64')}` }
  first = await Site.open({ environment })
  second = await Site.open({ environment })
  admin = new Caller(first, first.admin_key)
})
afterAll(async () => {
  await Promise.all([first.close(), second.close()])
  await shared.close()
})

interface Made {
  id: string
  key: string
}
async function keyOf(fields: object = {}): Promise<Made> {
  const user = await admin.json<{ id: string }>('/api/v1/users', { name: 'Keys' })
  await admin.json(`/api/v1/users/${user.id}/credits`, { amount_usd: '1.00', reason: 'Test' })
  return admin.json<Made>('/api/v1/keys', { user_id: user.id, name: 'test', ...fields })
}
const status = async (site: Site, key: string) => (await new Caller(site, key).send('/v1/key')).status

describe('a key', () => {
  it.each([
    ['turned off', (id: string) => admin.send(`/api/v1/keys/${id}`, { disabled: true }, { method: 'PATCH' })],
    ['deleted', (id: string) => admin.send(`/api/v1/keys/${id}`, undefined, { method: 'DELETE' })],
    [
      'given an end',
      (id: string) =>
        admin.send(`/api/v1/keys/${id}`, { expires_at: new Date(Date.now() + 500).toISOString() }, { method: 'PATCH' }),
    ],
  ])('that is %s stops on every router within five seconds', async (_how, stop) => {
    const { id, key } = await keyOf()
    expect([await status(first, key), await status(second, key)]).toEqual([200, 200])
    const stopped_ms = performance.now()
    expect((await stop(id)).status).toBe(200)
    for (const site of [first, second])
      while ((await status(site, key)) !== 401) {
        expect(performance.now() - stopped_ms).toBeLessThan(PROMISED_MS)
        await pause(50)
      }
    expect([await status(first, key), await status(second, key)]).toEqual([401, 401])
  })

  it('that is turned off lets no work in that it would pay for, nor addresses of webhooks', async () => {
    const { id, key } = await keyOf()
    await admin.send(`/api/v1/keys/${id}`, { disabled: true }, { method: 'PATCH' })
    const caller = new Caller(first, key)
    expect((await caller.chat('hi')).status).toBe(401)
    expect((await caller.send('/v1/webhooks', { url: 'https://example.com/' })).status).toBe(401)
    expect((await caller.send('/v1/videos', { model: 'sandbox/video', prompt: 'x' })).status).toBe(401)
  })
})

describe('the look-up of a key', () => {
  it('asks the store for a hash, and gives it nothing of the key', async () => {
    const { store, callers } = first.services
    const looks = vi.spyOn(store.keys, 'findOne')
    const { key } = await keyOf()
    await callers.identify(key)
    const [near, wrong] = [key.slice(0, -1) + (key.endsWith('0') ? '1' : '0'), newKeyText()]
    for (const text of [near, wrong, `${key} `, key.toUpperCase(), ''])
      expect(await callers.identify(text)).toBeUndefined()
    const told = looks.mock.calls.flatMap(([filter]) => [...JSON.stringify(filter).matchAll(/:"([^"]*)"/g)])
    expect(told.length).toBeGreaterThan(0)
    for (const [, text] of told) expect(text).toMatch(/^(?:[0-9a-f]{64}|(?:key|acc|usr)_\w+)$/)
    expect(JSON.stringify(looks.mock.calls)).not.toContain(key.slice(6, 40))
    looks.mockRestore()
  })

  it('finds the site’s own key by its hash too: a prefix of it is no nearer than any other text', async () => {
    const right = first.admin_key
    const { callers } = first.services
    const texts = [right.slice(0, -1) + (right.endsWith('0') ? '1' : '0'), `x${right.slice(1)}`]
    for (const text of texts) expect(await callers.identify(text)).toBeUndefined()
    expect(await callers.identify(right)).toMatchObject({ kind: 'admin' })
    // A measure and no proof, wide enough for a busy machine: the proof is that hashes are compared.
    const [early = 0, late = 0] = await Promise.all(texts.map((text) => medianOf(() => callers.identify(text))))
    expect(Math.abs(early - late)).toBeLessThan(Math.max(early, late))
  })

  async function medianOf(work: () => Promise<unknown>): Promise<number> {
    const times: number[] = []
    for (let at = 0; at < 2000; at++) {
      const started_ms = performance.now()
      await work()
      times.push(performance.now() - started_ms)
    }
    return times.sort((a, b) => a - b)[1000] ?? 0
  }
})
