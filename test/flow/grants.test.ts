// Credit from admins: once a key, whole or not at all, and in the books to the last nano-dollar.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { getUser } from '../../src/flow/account/accounts.ts'
import { createKey } from '../../src/flow/account/keys.ts'
import { grantCredits } from '../../src/flow/credit/grants.ts'
import { plainLot } from '../../src/flow/credit/packs.ts'
import { verify } from '../../src/ledger/verify.ts'
import { UNLIMITED_ROOM } from '../../src/store/accounts.ts'
import { type AccountParts, accountParts, newKey, newUser } from '../support/accounts.ts'

let parts: AccountParts
beforeAll(async () => {
  parts = await accountParts()
})
afterAll(() => parts.close())

const five = { lots: plainLot(5_000_000_000n), reason: 'Welcome' }

describe('a grant', () => {
  it('is credited once for one Idempotency-Key, however often and however much at once it is sent', async () => {
    const { id } = await newUser(parts)
    const send = () => grantCredits(parts, id, { ...five, idempotency_key: 'order 7' }, 'test')
    const first = await send()
    expect(first).toMatchObject({ object: 'grant', amount_usd: '5.000000000', available_usd: '5.000000000' })
    await grantCredits(parts, id, { ...five, idempotency_key: undefined }, 'test')
    const again = await Promise.all(Array.from({ length: 20 }, send))
    expect(again).toEqual(again.map(() => first))
    expect((await getUser(parts, id)).credits_usd).toBe('10.000000000')
    const trail = await parts.store.audit.find({ subject: id, action: 'credits.grant' }).toArray()
    expect(trail).toHaveLength(2)
  })

  it('under a key that was used for another body is refused and changes nothing', async () => {
    const { id } = await newUser(parts)
    await grantCredits(parts, id, { ...five, idempotency_key: 'k' }, 'test')
    for (const other of [
      { lots: plainLot(1n) },
      { lots: plainLot(5_000_000_000n, 'promotional') },
      { reason: 'Something else' },
    ]) {
      const sent = grantCredits(parts, id, { ...five, ...other, idempotency_key: 'k' }, 'test')
      await expect(sent).rejects.toMatchObject({ status: 422, code: 'idempotency_key_reused' })
    }
    expect((await getUser(parts, id)).credits_usd).toBe('5.000000000')
  })

  it('of two bodies at once under one key credits one of them', async () => {
    const { id } = await newUser(parts)
    const amounts = [1n, 2n, 3n, 4n]
    const sent = await Promise.allSettled(
      amounts.map((amount) =>
        grantCredits(parts, id, { lots: plainLot(amount), reason: 'r', idempotency_key: 'k' }, 'test'),
      ),
    )
    expect(sent.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const [winner] = sent.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    expect((await getUser(parts, id)).credits_usd).toBe(winner?.amount_usd)
  })

  it('belongs to its account: another account may use the same key', async () => {
    const [one, two] = [await newUser(parts), await newUser(parts)]
    for (const { id } of [one, two]) await grantCredits(parts, id, { ...five, idempotency_key: 'same' }, 'test')
    expect((await getUser(parts, two.id)).credits_usd).toBe('5.000000000')
  })

  it('that no account could hold is refused', async () => {
    const { id } = await newUser(parts)
    const sent = grantCredits(
      parts,
      id,
      { ...five, lots: plainLot(UNLIMITED_ROOM + 1n), idempotency_key: undefined },
      'test',
    )
    await expect(sent).rejects.toMatchObject({ status: 400, param: 'amount_usd' })
  })

  it('for nobody is a 404', async () => {
    const sent = grantCredits(parts, 'usr_nobody', { ...five, idempotency_key: undefined }, 'test')
    await expect(sent).rejects.toMatchObject({ status: 404, code: 'user_not_found' })
  })
})

describe('the books', () => {
  it('add up after grants and limits of keys', async () => {
    const { id } = await newUser(parts)
    await newKey(parts, id, { limit: 1_000_000_000n })
    await createKey(parts, id, { name: 'free', models: null, limit: null, expires_at: null }, 'test')
    expect(await verify(parts.store)).toMatchObject({ ok: true, drift: [] })
  })
})
