// Keys: seen once, limited exactly, and never more of them in the store than a hash.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { changeUser, createUser } from '../../src/flow/account/accounts.ts'
import { changeKey, deleteKey, getKey, listKeys } from '../../src/flow/account/keys.ts'
import { grantCredits } from '../../src/flow/credit/grants.ts'
import { plainLot } from '../../src/flow/credit/packs.ts'
import { verify } from '../../src/ledger/verify.ts'
import { type AccountParts, accountParts, newKey, newUser } from '../support/accounts.ts'

let parts: AccountParts
let user: { id: string; account_id: string }
beforeAll(async () => {
  parts = await accountParts()
})
beforeEach(async () => {
  user = await newUser(parts)
  await grantCredits(
    parts,
    user.id,
    { lots: plainLot(10_000_000_000n), reason: 'r', idempotency_key: undefined },
    'test',
  )
})
afterAll(() => parts.close())

const USD = 1_000_000_000n

async function hold(key_id: string, amount: bigint, job_id = `job_${Math.random().toString(36).slice(2)}`) {
  return parts.ledger.hold({ job_id, account_id: user.account_id, key_id, amount })
}

describe('a key', () => {
  it('is in no record of the store, the audit trail included', async () => {
    const { key, id } = await newKey(parts, user.id)
    await changeKey(parts, id, { name: 'renamed' }, 'test')
    const everything = await Promise.all(
      [parts.store.keys, parts.store.audit, parts.store.users, parts.store.accounts].map((collection) =>
        collection.find({} as never).toArray(),
      ),
    )
    const text = JSON.stringify(everything, (_name, value) => (typeof value === 'bigint' ? String(value) : value))
    expect(text).not.toContain(key)
    expect(text).toContain(key.slice(0, 12))
  })

  it('is shown without the key afterwards, and without its hash', async () => {
    const { id } = await newKey(parts, user.id)
    const shown = await getKey(parts, id)
    expect(shown).not.toHaveProperty('key')
    expect(JSON.stringify(shown)).not.toMatch(/[0-9a-f]{64}/)
  })

  it('for nobody is a 404', async () => {
    await expect(newKey(parts, 'usr_nobody')).rejects.toMatchObject({ status: 404, code: 'user_not_found' })
  })

  it('leaves its spending behind when it is deleted', async () => {
    const { id } = await newKey(parts, user.id)
    expect((await hold(id, USD)).held).toBe(true)
    await deleteKey(parts, id, 'test')
    await expect(getKey(parts, id)).rejects.toMatchObject({ status: 404 })
    expect(await verify(parts.store)).toMatchObject({ ok: true })
  })
})

describe('the limit of a key', () => {
  it('stops at the nano-dollar, while the account has more', async () => {
    const { id } = await newKey(parts, user.id, { limit: USD })
    expect(await hold(id, USD)).toMatchObject({ held: true })
    expect(await hold(id, 1n)).toMatchObject({ held: false, reason: 'key_budget_exhausted' })
    expect(await getKey(parts, id)).toMatchObject({
      limit_usd: '1.000000000',
      remaining_usd: '0.000000000',
      held_usd: '1.000000000',
    })
  })

  it('can be raised, lowered below what was spent, and taken away', async () => {
    const { id } = await newKey(parts, user.id, { limit: USD })
    await hold(id, USD)
    await changeKey(parts, id, { limit: 2n * USD }, 'test')
    expect(await hold(id, USD)).toMatchObject({ held: true })
    await changeKey(parts, id, { limit: USD / 2n }, 'test')
    expect(await hold(id, 1n)).toMatchObject({ held: false })
    expect(await getKey(parts, id)).toMatchObject({ remaining_usd: '0.000000000' })
    await changeKey(parts, id, { limit: null }, 'test')
    expect(await hold(id, USD)).toMatchObject({ held: true })
    expect(await getKey(parts, id)).toMatchObject({ limit_usd: null, remaining_usd: null })
    expect(await verify(parts.store)).toMatchObject({ ok: true })
  })

  it('is the same in key and account however many admins set it at once', async () => {
    const { id } = await newKey(parts, user.id, { limit: USD })
    await Promise.all(
      Array.from({ length: 12 }, (_, n) => changeKey(parts, id, { limit: BigInt(n + 1) * USD }, 'test')),
    )
    expect(await verify(parts.store)).toMatchObject({ ok: true, drift: [] })
  })
})

describe('lists of keys', () => {
  it('come newest first, page by page, of one user', async () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    for (const name of names) await newKey(parts, user.id, { name })
    const page = (after?: string) => listKeys(parts, { user_id: user.id, limit: 2, order: 'desc', after })
    const first = await page()
    const second = await page(first.items.at(-1)?.id)
    const third = await page(second.items.at(-1)?.id)
    expect([first, second, third].map(({ items }) => items.map(({ name }) => name).join(''))).toEqual(['ed', 'cb', 'a'])
    expect([first, second, third].map(({ has_more }) => has_more)).toEqual([true, true, false])
  })
})

describe('a user', () => {
  it('is alone with an email address, even when two come at once', async () => {
    const email = 'ada@example.com'
    const made = await Promise.allSettled(
      Array.from({ length: 5 }, () => createUser(parts, { name: 'Ada', email }, 'test')),
    )
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await expect(changeUser(parts, user.id, { email }, 'test')).rejects.toMatchObject({
      status: 409,
      code: 'email_taken',
    })
  })
})
