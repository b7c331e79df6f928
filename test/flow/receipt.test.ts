// Receipts: whatever was used at whatever price, the lines that a caller sees add up to the charge, to the nano-dollar, and
// say whose price it was and since when.
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { receipt } from '../../scripts/admin/receipt.ts'
import { METERS, type Meter } from '../../src/contract.ts'
import { jobView } from '../../src/flow/job_view.ts'
import { parseUsd } from '../../src/ledger/money.ts'
import { cost } from '../../src/pricing/cost.ts'
import type { Adjustment, Quote } from '../../src/pricing/schema.ts'
import type { JobRecord } from '../../src/store/jobs.ts'
import { Site } from './site.ts'

let site: Site
beforeAll(async () => {
  site = await Site.open()
})
afterAll(() => site.close())

interface Billing {
  cost_usd: string
  lines: { meter: string; quantity: number; usd: string; per: number; amount_usd: string }[]
  price: { provider: string; from: string; source: string } | null
}

/** The exact sum of decimals of any length, and one amount, both in units of 10^-30. */
const PLACES = 30
function exact(decimal: string): bigint {
  const [, sign = '', whole = '0', part = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(decimal) ?? []
  return (sign === '-' ? -1n : 1n) * BigInt(whole + part.padEnd(PLACES, '0'))
}
const sumOf = ({ lines }: Billing) => lines.reduce((total, { amount_usd }) => total + exact(amount_usd), 0n)

const price = fc.record({
  usd: fc.integer({ min: 0, max: 10 ** 5 }).map((cents) => (cents / 10 ** 4).toFixed(4)),
  per: fc.constantFrom(1, 60, 1000, 1_000_000, 3, 7),
})
const adjustment: fc.Arbitrary<Adjustment> = fc.oneof(
  fc.constant({}),
  fc.integer({ min: 1, max: 99 }).map((percent) => ({ discount: (percent / 100).toFixed(2) })),
  fc.integer({ min: 1, max: 300 }).map((percent) => ({ margin: (percent / 100).toFixed(2) })),
)
const used = fc.uniqueArray(fc.tuple(fc.constantFrom(...METERS), price, fc.integer({ min: 0, max: 10 ** 6 })), {
  minLength: 1,
  maxLength: 6,
  selector: ([meter]) => meter,
})

it('adds up for every usage, price, discount and margin', () => {
  fc.assert(
    fc.property(used, adjustment, (meters, terms) => {
      const rates = meters.map(([meter, { usd, per }]) => ({ meter: meter as Meter, usd, per, when: {} }))
      const quote: Quote = { rates, adjustment: terms, from: '2026-11-01', source: 'https://prices.example' }
      const usage = { meters: Object.fromEntries(meters.map(([meter, , quantity]) => [meter, quantity])) }
      const charge = cost(usage, quote)
      const job = {
        _id: 'job_x',
        offers: [{ provider: 'acme', upstream: 'x', quote, estimate: {} }],
        offer: 0,
        state: 'settled',
        hold: charge.amount,
        cost: charge.amount,
        lines: charge.lines,
        decision: { status: 'completed' },
        outputs: [],
        attempts: [],
        echo: {},
        usage: null,
      } as unknown as JobRecord
      const billing = jobView(job).billing as unknown as Billing
      expect(sumOf(billing)).toBe(exact(billing.cost_usd))
      expect(parseUsd(billing.cost_usd)).toBe(charge.amount)
      expect(billing.price).toEqual({ provider: 'acme', from: '2026-11-01', source: 'https://prices.example' })
    }),
  )
})

it.each([
  ['a chat', '/v1/chat/completions', { model: 'sandbox/chat', messages: [{ role: 'user', content: 'Hello' }] }],
  ['pictures', '/v1/images/generations', { model: 'sandbox/image', prompt: 'A boat', size: '64x64', n: 3 }],
  ['speech', '/v1/audio/speech', { model: 'sandbox/speech', input: 'Hello there', voice: 'alloy' }],
  ['vectors', '/v1/embeddings', { model: 'sandbox/embed', input: 'Hello there' }],
])('of %s adds up, names its price and can be printed', async (_what, path, body) => {
  const caller = await site.caller('1')
  const { job_id, cost_usd } = await caller.send(path, body)
  const job = await caller.json<{ billing: Billing }>(`/v1/jobs/${job_id}`)
  const { billing } = job
  expect(billing.cost_usd).toBe(cost_usd)
  expect(sumOf(billing)).toBe(exact(billing.cost_usd))
  expect(billing.price).toMatchObject({ provider: 'sandbox', from: expect.stringMatching(/^\d{4}-\d\d-\d\d/) })
  const paper = receipt(job)
  expect(paper).toContain(`Charged  ${cost_usd}`)
  for (const { meter, amount_usd } of billing.lines) expect(paper).toMatch(new RegExp(`${meter}.* ${amount_usd}$`, 'm'))
})

it('of work that failed has no lines and no charge', async () => {
  const caller = await site.caller('1')
  const { job_id } = await caller.chat('[[fail:unavailable]]')
  const job = await caller.json<{ billing: Billing }>(`/v1/jobs/${job_id}`)
  expect(job.billing).toMatchObject({ status: 'released', cost_usd: '0.000000000', lines: [] })
  expect(receipt(job)).toContain('Charged  0.000000000')
})
