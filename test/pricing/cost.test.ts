// What work costs: known cases by hand, and laws that hold for every usage and every price.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { METERS, type Meter, type Meters } from '../../src/contract.ts'
import { rateFaults } from '../../src/pricing/check.ts'
import { type Cost, cost, dearestMeter, UnpricedUsage } from '../../src/pricing/cost.ts'
import type { Adjustment, Quote, Rate } from '../../src/pricing/schema.ts'

const rate = (meter: Meter, usd: string, per = 1, when: Rate['when'] = {}): Rate => ({ meter, usd, per, when })
const quote = (rates: Rate[], adjustment: Adjustment = {}): Quote => ({
  rates,
  adjustment,
  from: '2026-11-01',
  source: 'a test',
})
const million = (meter: Meter, usd: string, when: Rate['when'] = {}) => rate(meter, usd, 1_000_000, when)

const CHAT = quote([
  million('input_tokens', '0.15'),
  million('cached_input_tokens', '0.075'),
  million('output_tokens', '0.60'),
])

describe('cost', () => {
  it('adds up what each meter costs, to the nano-dollar', () => {
    const { amount, list_amount, lines } = cost(
      { meters: { input_tokens: 1000, cached_input_tokens: 500, output_tokens: 200 } },
      CHAT,
    )
    expect(amount).toBe(307_500n)
    expect(list_amount).toBe(307_500n)
    expect(lines.map(({ meter, quantity, amount_usd }) => [meter, quantity, amount_usd])).toEqual([
      ['input_tokens', 1000, '0.00015'],
      ['cached_input_tokens', 500, '0.0000375'],
      ['output_tokens', 200, '0.00012'],
    ])
  })

  it('takes the rate whose conditions hold, the most specific first', () => {
    const film = quote([
      rate('video_seconds', '0.15', 1, { resolution: '720p' }),
      rate('video_seconds', '0.34', 1, { resolution: '1080p' }),
      rate('video_seconds', '0.50', 1, { resolution: '1080p', audio: 'true' }),
    ])
    const of = (attributes: Record<string, string>) => cost({ meters: { video_seconds: 10 }, attributes }, film).amount
    expect(of({ resolution: '720p' })).toBe(1_500_000_000n)
    expect(of({ resolution: '1080p' })).toBe(3_400_000_000n)
    expect(of({ resolution: '1080p', audio: 'true' })).toBe(5_000_000_000n)
  })

  it('refuses a usage for which a meter has rates and none applies, naming what is priced', () => {
    const film = quote([rate('video_seconds', '0.15', 1, { resolution: '720p' })])
    const usage = { meters: { video_seconds: 10 }, attributes: { resolution: '4k' } }
    expect(() => cost(usage, film)).toThrow(UnpricedUsage)
    expect(() => cost(usage, film)).toThrow('video_seconds has no price for resolution=4k; priced are: resolution=720p')
  })

  it('refuses a usage of which nothing is priced', () => {
    expect(() => cost({ meters: { images: 1 } }, CHAT)).toThrow(UnpricedUsage)
    expect(() => cost({ meters: {} }, CHAT)).toThrow(UnpricedUsage)
  })

  it('refuses what is not a quantity', () => {
    for (const input_tokens of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => cost({ meters: { input_tokens } }, CHAT)).toThrow(UnpricedUsage)
    }
  })

  it('compares all that the model read with context_over, and prices the whole request by it', () => {
    const long = quote([
      million('input_tokens', '2'),
      million('input_tokens', '4', { context_over: 200_000 }),
      million('cached_input_tokens', '0.20'),
      million('cached_input_tokens', '0.40', { context_over: 200_000 }),
      million('output_tokens', '12'),
      million('output_tokens', '18', { context_over: 200_000 }),
    ])
    const of = (cached_input_tokens: number) =>
      cost({ meters: { input_tokens: 100_000, cached_input_tokens, output_tokens: 1000 } }, long).amount
    expect(of(100_000)).toBe(200_000_000n + 20_000_000n + 12_000_000n)
    expect(of(100_001)).toBe(400_000_000n + 40_000_400n + 18_000_000n)
  })

  it('prices an unpriced kind of token as its plain kind, never as nothing', () => {
    const plain = quote([million('input_tokens', '2'), million('output_tokens', '10')])
    const inputs = METERS.filter((meter) => /(?:input|cache).*_tokens$/.test(meter))
    for (const meter of inputs) expect(cost({ meters: { [meter]: 1_000_000 } }, plain).amount).toBe(2_000_000_000n)
    const outputs = METERS.filter((meter) => meter.startsWith('output'))
    for (const meter of outputs) expect(cost({ meters: { [meter]: 1_000_000 } }, plain).amount).toBe(10_000_000_000n)
  })

  it('prices a cached picture as a picture rather than as cached text', () => {
    const picture = quote([
      million('input_tokens', '5'),
      million('cached_input_tokens', '1.25'),
      million('input_image_tokens', '8'),
    ])
    expect(cost({ meters: { cached_input_image_tokens: 1_000_000 } }, picture).amount).toBe(8_000_000_000n)
  })

  it('charges plain output at the rate of the pictures where only those have one', () => {
    const images = quote([million('input_tokens', '5'), million('output_image_tokens', '30')])
    expect(cost({ meters: { output_tokens: 1_000_000 } }, images).amount).toBe(30_000_000_000n)
  })

  it('leaves other meters without a rate free, for they measure the same work in another way', () => {
    expect(cost({ meters: { input_tokens: 1_000_000, audio_seconds: 60, requests: 1 } }, CHAT).amount).toBe(
      150_000_000n,
    )
  })

  it('counts one request even if the usage says nothing of it', () => {
    const each = quote([rate('requests', '0.005')])
    expect(cost({ meters: { images: 3 } }, each).amount).toBe(5_000_000n)
    expect(cost({ meters: {} }, each).amount).toBe(5_000_000n)
  })

  it('never sells a tier of service at the plain price', () => {
    const tiers = quote([...CHAT.rates, million('input_tokens', '0.25', { tier: 'priority' })])
    const of = (tier: string) => cost({ meters: { input_tokens: 1_000_000 }, attributes: { tier } }, tiers).amount
    expect(of('priority')).toBe(250_000_000n)
    expect(of('default')).toBe(150_000_000n)
    expect(of('auto')).toBe(150_000_000n)
    expect(() => of('flex')).toThrow('the service tier "flex" has no price')
    const free = quote([million('input_tokens', '0')])
    expect(cost({ meters: { input_tokens: 1 }, attributes: { tier: 'flex' } }, free).amount).toBe(0n)
  })

  it('takes a discount or a margin off the exact sum and rounds once', () => {
    const meters: Meters = { video_seconds: 10 }
    const rates = [rate('video_seconds', '0.34')]
    const discounted = cost({ meters }, quote(rates, { discount: '0.20' }))
    expect([discounted.amount, discounted.list_amount]).toEqual([2_720_000_000n, 3_400_000_000n])
    expect(discounted.lines.at(-1)).toEqual({
      meter: 'discount',
      quantity: 1,
      usd: '-0.68',
      per: 1,
      when: { discount: '0.20' },
      amount_usd: '-0.68',
    })
    expect(cost({ meters }, quote(rates, { margin: '0.15' })).amount).toBe(3_910_000_000n)
  })

  it('rounds a half to the even nano-dollar', () => {
    const of = (usd: string) => cost({ meters: { images: 1 } }, quote([rate('images', usd)])).amount
    expect(of('0.0000000005')).toBe(0n)
    expect(of('0.0000000015')).toBe(2n)
    expect(of('0.0000000025')).toBe(2n)
    expect(of('0.00000000250000001')).toBe(3n)
  })

  it('shows a third of a cent cut off, with the rest in the rounding line', () => {
    const { amount, lines } = cost({ meters: { audio_seconds: 1 } }, quote([rate('audio_seconds', '0.01', 60)]))
    expect(amount).toBe(166_667n)
    expect(lines.map(({ meter, amount_usd }) => [meter, amount_usd])).toEqual([
      ['audio_seconds', '0.000166666666666666'],
      ['rounding', '0.000000000333333334'],
    ])
  })

  it('takes fractions of seconds by their decimal text, as 0.1 is not exact in binary', () => {
    const of = (seconds: number) =>
      cost({ meters: { audio_seconds: seconds } }, quote([rate('audio_seconds', '1')])).amount
    expect(of(0.1 + 0.2)).toBe(300_000_000n)
    expect(of(4.35)).toBe(4_350_000_000n)
    expect(of(1e-9)).toBe(1n)
    expect(of(1e21)).toBe(10n ** 30n)
  })
})

describe('dearestMeter', () => {
  it('says which kind an upper bound has to count in', () => {
    const cached = quote([
      million('input_tokens', '2'),
      million('cache_write_tokens', '2.50'),
      million('output_tokens', '10'),
    ])
    const usage = { meters: { input_tokens: 10 } }
    expect(dearestMeter(['input_tokens', 'cache_write_tokens', 'cached_input_tokens'], usage, cached)).toBe(
      'cache_write_tokens',
    )
    expect(dearestMeter(['input_tokens', 'cache_write_tokens'], usage, CHAT)).toBe('input_tokens')
  })
})

/* ---- laws ------------------------------------------------------------------------------------------------------- */

const decimals = fc
  .tuple(fc.bigInt(0n, 999n), fc.bigInt(0n, 10n ** 12n - 1n), fc.integer({ min: 0, max: 12 }))
  .map(([whole, part, places]) =>
    places === 0 ? `${whole}` : `${whole}.${part.toString().padStart(12, '0').slice(0, places)}`,
  )
const quantities = fc.oneof(
  fc.nat({ max: 3_000_000 }),
  fc.tuple(fc.nat({ max: 100_000 }), fc.constantFrom(10, 100, 1000)).map(([n, by]) => n / by),
)
const pers = fc.constantFrom(1, 7, 60, 1000, 3600, 1_000_000)
const adjustments: fc.Arbitrary<Adjustment> = fc.oneof(
  fc.constant({}),
  fc.nat({ max: 100 }).map((percent) => ({ discount: (percent / 100).toFixed(2) })),
  fc.nat({ max: 300 }).map((percent) => ({ margin: (percent / 100).toFixed(2) })),
)
const meterSets = fc.uniqueArray(fc.constantFrom(...METERS.filter((meter) => meter !== 'requests')), {
  minLength: 1,
  maxLength: 6,
})
const cases = meterSets.chain((meters) =>
  fc.record({
    rates: fc.tuple(
      ...meters.map((meter) =>
        fc.record({ meter: fc.constant(meter), usd: decimals, per: pers, when: fc.constant({}) }),
      ),
    ),
    quantities: fc.tuple(...meters.map(() => quantities)),
    adjustment: adjustments,
  }),
)
const metersOf = (rates: Rate[], amounts: number[]): Meters =>
  Object.fromEntries(rates.map(({ meter }, index) => [meter, amounts[index] ?? 0]))

/** Another way to the same sum: everything over one common denominator, in whole numbers. */
const SCALE = 10n ** 30n
const PERS = 7n * 3600n * 10n ** 6n
const scaled = (text: string): bigint => {
  const [whole = '0', part = ''] = text.split('.')
  return BigInt(whole + part.padEnd(30, '0'))
}
function expected(rates: Rate[], amounts: number[], { discount, margin = '0' }: Adjustment): bigint {
  const factor = discount === undefined ? SCALE + scaled(margin) : SCALE - scaled(discount)
  const sum = rates.reduce((total, { usd, per }, index) => {
    return total + scaled(String(amounts[index] ?? 0)) * scaled(usd) * (PERS / BigInt(per))
  }, 0n)
  const dividend = sum * factor * 10n ** 9n
  const divisor = SCALE ** 3n * PERS
  const down = dividend / divisor
  const twice = (dividend % divisor) * 2n
  if (twice === divisor) return down % 2n === 0n ? down : down + 1n
  return twice > divisor ? down + 1n : down
}

/** The sum of decimal texts, in units of the 60th place. */
const sumOf = (lines: Cost['lines']): bigint =>
  lines.reduce((total, { amount_usd }) => {
    const negative = amount_usd.startsWith('-')
    const [whole = '0', part = ''] = amount_usd.replace('-', '').split('.')
    const value = BigInt(whole + part.padEnd(60, '0'))
    return negative ? total - value : total + value
  }, 0n)

describe('every cost', () => {
  it('is the exact sum, rounded half to even once', () => {
    fc.assert(
      fc.property(cases, ({ rates, quantities, adjustment }) => {
        const { amount, list_amount } = cost({ meters: metersOf(rates, quantities) }, quote(rates, adjustment))
        expect(amount).toBe(expected(rates, quantities, adjustment))
        expect(list_amount).toBe(expected(rates, quantities, {}))
      }),
      { numRuns: 500 },
    )
  })

  it('is what its lines add up to, to the last digit', () => {
    fc.assert(
      fc.property(cases, ({ rates, quantities, adjustment }) => {
        const { amount, lines } = cost({ meters: metersOf(rates, quantities) }, quote(rates, adjustment))
        expect(sumOf(lines)).toBe(amount * 10n ** 51n)
        for (const { amount_usd } of lines) expect(amount_usd).toMatch(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/)
      }),
      { numRuns: 500 },
    )
  })

  it('does not fall when a quantity grows', () => {
    fc.assert(
      fc.property(cases, fc.nat(), quantities, ({ rates, quantities: less, adjustment }, which, more) => {
        const grown = less.map((quantity, index) => (index === which % less.length ? quantity + more : quantity))
        const priced = quote(rates, adjustment)
        expect(cost({ meters: metersOf(rates, grown) }, priced).amount).toBeGreaterThanOrEqual(
          cost({ meters: metersOf(rates, less) }, priced).amount,
        )
      }),
      { numRuns: 300 },
    )
  })

  it('survives being kept as JSON', () => {
    fc.assert(
      fc.property(cases, ({ rates, quantities, adjustment }) => {
        const priced = quote(rates, adjustment)
        const kept = JSON.parse(JSON.stringify(priced)) as Quote
        const usage = { meters: metersOf(rates, quantities) }
        expect(cost(usage, kept)).toEqual(cost(usage, priced))
      }),
      { numRuns: 50 },
    )
  })
})

/** Rates of two meters under conditions; often dearer for a longer context, so that many pass the load check. */
const conditional = fc.uniqueArray(
  fc
    .record({
      meter: fc.constantFrom<Meter>('input_tokens', 'output_tokens'),
      usd: fc.integer({ min: 1, max: 5 }),
      when: fc.record(
        { context_over: fc.constantFrom(10, 20), resolution: fc.constantFrom('a', 'b'), quality: fc.constantFrom('x') },
        { requiredKeys: [] },
      ),
    })
    .map(({ meter, usd, when }) => rate(meter, String(usd + (when.context_over ?? 0) / 20), 1, { ...when })),
  { minLength: 1, maxLength: 4, selector: ({ meter, when }) => JSON.stringify([meter, Object.entries(when).sort()]) },
)

describe('rates that pass the load check', () => {
  it('price whatever is smaller than a usage that they price, and never higher', () => {
    let priced = 0
    fc.assert(
      fc.property(
        conditional,
        fc.nat({ max: 15 }),
        fc.nat({ max: 15 }),
        fc.nat({ max: 25 }),
        fc.record({ resolution: fc.constantFrom('a', 'b'), quality: fc.constantFrom('x', 'y') }),
        (conditions, input_tokens, cached_input_tokens, more, attributes) => {
          const plain = [rate('input_tokens', '2'), rate('output_tokens', '2')]
          const rates = [...plain, ...conditions.filter(({ when }) => Object.keys(when).length > 0)]
          if (rateFaults(rates, []).length > 0) return
          const of = (extra: number) => {
            const meters = { input_tokens: input_tokens + extra, cached_input_tokens, output_tokens: 3 }
            return costOrNothing({ meters, attributes }, quote(rates))
          }
          const estimate = of(more)
          if (estimate === undefined) return
          priced++
          const charge = of(0)
          expect(charge).toBeDefined()
          expect(charge).toBeLessThanOrEqual(estimate)
        },
      ),
      { numRuns: 3000 },
    )
    expect(priced).toBeGreaterThan(100)
  })
})

function costOrNothing(
  usage: { meters: Meters; attributes: Record<string, string> },
  priced: Quote,
): bigint | undefined {
  try {
    return cost(usage, priced).amount
  } catch (error) {
    if (error instanceof UnpricedUsage) return undefined
    throw error
  }
}
