// Who is let in, with which header, and how quickly a key that was turned off stops.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Callers } from '../../src/flow/account/callers.ts'
import { newKeyText } from '../../src/flow/account/key_text.ts'
import { changeKey, deleteKey } from '../../src/flow/account/keys.ts'
import { requireAdmin, requireCaller } from '../../src/http/auth.ts'
import type { Context, Middleware } from '../../src/http/context.ts'
import { connectStore } from '../../src/store/connect.ts'
import { type AccountParts, ADMIN_KEY, accountParts, newKey, newUser } from '../support/accounts.ts'
import { quiet, type Served, serve } from '../support/serve.ts'

let parts: AccountParts
let served: Served
let user_id: string
beforeAll(async () => {
  parts = await accountParts()
  user_id = (await newUser(parts)).id
  const guards: Record<string, Middleware> = {
    '/v1': requireCaller(parts.callers),
    '/api/v1': requireAdmin(parts.callers),
  }
  served = await serve(
    (context, next) => guards[context.path]?.(context, next) ?? next(),
    async (context: Context) => {
      context.body = context.state.caller
    },
  )
})
afterAll(async () => {
  await served.close()
  await parts.close()
})

async function ask(path: string, headers: Record<string, string>) {
  const response = await fetch(served.url + path, { headers })
  return { status: response.status, body: (await response.json()) as { error: { code: string; message: string } } }
}
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

describe('a caller', () => {
  let key: string
  let key_id: string
  beforeEach(async () => {
    const made = await newKey(parts, user_id, { models: ['sandbox/chat'] })
    key = made.key
    key_id = made.id
  })

  it.each([
    ['authorization', 'Bearer '],
    ['authorization', 'bearer '],
    ['x-api-key', ''],
    ['x-goog-api-key', ''],
  ])('comes in with %s: %s<key>', async (header, scheme) => {
    const { status, body } = await ask('/v1', { [header]: scheme + key })
    expect(status).toBe(200)
    expect(body).toMatchObject({ key_id, user_id, kind: 'caller', models: ['sandbox/chat'] })
  })

  it('is told nothing of why a key is refused', async () => {
    const disabled = await newKey(parts, user_id)
    await changeKey(parts, disabled.id, { disabled: true }, 'test')
    const expired = await newKey(parts, user_id, { expires_at: new Date(Date.now() - 1000) })
    const refused = [
      {},
      bearer(''),
      bearer(disabled.key),
      bearer(expired.key),
      bearer(newKeyText()),
      bearer("' OR 1=1--"),
      bearer('x'.repeat(12_000)),
      { authorization: 'Basic abc' },
      { authorization: '[object Object]' },
    ]
    const answers = await Promise.all(refused.map((headers) => ask('/v1', headers)))
    expect(answers.map(({ status }) => status)).toEqual(refused.map(() => 401))
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    expect(answers[0]?.body.error.code).toBe('invalid_api_key')
  })

  it('is not let into the admin API', async () => {
    const { status, body } = await ask('/api/v1', bearer(key))
    expect([status, body.error.code]).toEqual([403, 'permission_denied'])
  })

  it('is refused at once when the key is turned off here', async () => {
    expect((await ask('/v1', bearer(key))).status).toBe(200)
    await changeKey(parts, key_id, { disabled: true }, 'test')
    expect((await ask('/v1', bearer(key))).status).toBe(401)
    await changeKey(parts, key_id, { disabled: false }, 'test')
    expect((await ask('/v1', bearer(key))).status).toBe(200)
  })

  it('is refused at once when the key is deleted here, and within five seconds elsewhere', async () => {
    const store = await connectStore(parts.uri)
    const elsewhere = new Callers(store, quiet)
    expect(await elsewhere.identify(key)).toMatchObject({ key_id })
    expect((await ask('/v1', bearer(key))).status).toBe(200)
    await deleteKey(parts, key_id, 'test')
    expect((await ask('/v1', bearer(key))).status).toBe(401)
    const now = performance.now()
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now + 5000)
    expect(await elsewhere.identify(key)).toBeUndefined()
    clock.mockRestore()
    await elsewhere.close()
    await store.close()
  })
})

describe('an admin', () => {
  it('comes in with the site’s key', async () => {
    const { status, body } = await ask('/api/v1', bearer(ADMIN_KEY))
    expect(status).toBe(200)
    expect(body).toMatchObject({ key_id: 'admin', kind: 'admin' })
  })

  it('is told to use a caller’s key where an account is needed', async () => {
    const { status, body } = await ask('/v1', bearer(ADMIN_KEY))
    expect([status, body.error.code]).toEqual([401, 'invalid_api_key'])
    expect(body.error.message).toContain('/api/v1/keys')
  })

  it('may call models with an admin key of the store, which has an account', async () => {
    const made = await newKey(parts, user_id)
    await parts.store.keys.updateOne({ _id: made.id }, { $set: { kind: 'admin' } })
    expect((await ask('/v1', bearer(made.key))).status).toBe(200)
    expect((await ask('/api/v1', bearer(made.key))).status).toBe(200)
  })
})

describe('looking keys up', () => {
  /** Counts the look-ups of a fresh router. */
  function counting() {
    let count = 0
    const keys = new Proxy(parts.store.keys, {
      get(target, name) {
        if (name !== 'findOne') return Reflect.get(target, name)
        return (...query: Parameters<typeof target.findOne>) => {
          count++
          return target.findOne(...query)
        }
      },
    })
    return { callers: new Callers({ ...parts.store, keys }, quiet), lookUps: () => count }
  }

  it('asks the store once for many requests at once, and not again within seconds', async () => {
    const { key } = await newKey(parts, user_id)
    const { callers, lookUps } = counting()
    const all = await Promise.all(Array.from({ length: 50 }, () => callers.identify(key)))
    expect(all.every((caller) => caller?.user_id === user_id)).toBe(true)
    await callers.identify(key)
    expect(lookUps()).toBe(1)
    await callers.close()
  })

  it('remembers unknown keys too, and never asks for what cannot be a key', async () => {
    const { callers, lookUps } = counting()
    const unknown = newKeyText()
    for (let time = 0; time < 3; time++) await callers.identify(unknown)
    expect(lookUps()).toBe(1)
    for (const text of ['', 'x', unknown.slice(0, -1), `${unknown}x`]) await callers.identify(text)
    expect(lookUps()).toBe(1)
    await callers.close()
  })

  it('does not keep an answer that was on its way when the key changed', async () => {
    const { key, id } = await newKey(parts, user_id)
    const { callers } = counting()
    const asked = callers.identify(key)
    await changeKey({ ...parts, callers }, id, { disabled: true }, 'test')
    await asked
    expect(await callers.identify(key)).toBeUndefined()
    await callers.close()
  })

  it('writes when a key was last used, late and once', async () => {
    const { key, id } = await newKey(parts, user_id)
    const { callers } = counting()
    await callers.identify(key)
    expect((await parts.store.keys.findOne({ _id: id }))?.last_used_at).toBeNull()
    await callers.close()
    expect((await parts.store.keys.findOne({ _id: id }))?.last_used_at).toBeInstanceOf(Date)
  })
})
