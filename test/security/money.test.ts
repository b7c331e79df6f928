// Money under attack: everybody at once for what is enough for one, rich accounts without a bypass, and prices that change
// while work runs. On a whole router.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Caller, eventually, Site } from '../flow/site.ts'

let prices: string
let site: Site
beforeAll(async () => {
  prices = await mkdtemp(join(tmpdir(), 'sw-prices-'))
  site = await Site.open({ environment: { PRICING_DIR: prices } })
})
afterAll(async () => {
  expect(await site.verify()).toMatchObject({ ok: true, drift: [] })
  await site.close()
  await rm(prices, { recursive: true })
})

const picture = (prompt: string) => ({ model: 'sandbox/image', prompt, size: '64x64' })
const many = (count: number, work: () => Promise<{ status: number }>) =>
  Promise.all(Array.from({ length: count }, async () => (await work()).status))

describe('two hundred calls at once that need more than half of the credit each', () => {
  it('are one that runs, and 199 that are told what it lacks', async () => {
    const caller = await site.caller('0.016')
    const answers = await many(200, () => caller.send('/v1/images/generations', picture('[[delay:300ms]]')))
    expect(answers.filter((status) => status === 200)).toHaveLength(1)
    expect(answers.filter((status) => status === 402)).toHaveLength(199)
    expect(await caller.credits()).toMatchObject({ available_usd: '0.006000000', held_usd: '0.000000000' })
  }, 60_000)
})

describe('an account that is rich', () => {
  it('has a hold for each of its calls all the same', async () => {
    const caller = await site.caller('1000000.00')
    const later = { headers: { prefer: 'respond-async' } }
    const answers = await many(50, () =>
      caller.send('/v1/videos', { model: 'sandbox/video', prompt: '[[delay:30s]]', seconds: '4' }, later),
    )
    expect(new Set(answers)).toEqual(new Set([202]))
    expect(await caller.credits()).toMatchObject({ held_usd: '2.000000000', available_usd: '999998.000000000' })
    const { data } = await caller.json<{ data: { id: string }[] }>('/v1/jobs?limit=100')
    await Promise.all(data.map(({ id }) => caller.send(`/v1/jobs/${id}/cancel`, {})))
    await eventually(
      () => caller.credits(),
      ({ held_usd }) => held_usd === '0.000000000',
    )
    expect(await caller.credits()).toMatchObject({ settled_usd: '0.000000000' })
  }, 60_000)
})

describe('a price that changes while work runs', () => {
  it('is not that of the work: what was held for at the old one is charged at the old one', async () => {
    const caller = await site.caller('10.00')
    const running = [
      ...Array.from({ length: 10 }, () => caller.send('/v1/images/generations', picture('[[delay:2s]]'))),
      ...Array.from({ length: 10 }, () =>
        caller.send('/v1/images/generations', picture('[[delay:2s]]'), { headers: { prefer: 'respond-async' } }),
      ),
    ]
    await eventually(
      () => caller.credits(),
      ({ held_usd }) => held_usd === '0.200000000',
    )
    await writeFile(join(prices, 'site.toml'), 'margin = "9.00"\n')
    await new Caller(site, site.admin_key).json('/api/v1/reload', {})
    const dear = await caller.send('/v1/images/generations', picture('now'))
    expect(dear.cost_usd).toBe('0.100000000')
    const answers = await Promise.all(running)
    for (const { job_id } of answers)
      expect((await caller.jobWhen(job_id)).billing).toMatchObject({ status: 'settled', cost_usd: '0.010000000' })
    expect(await caller.credits()).toMatchObject({ held_usd: '0.000000000', settled_usd: '0.300000000' })
  }, 60_000)
})
