// An account's own price: which one stands, from when on, and that it takes the place of the site's.
import { describe, expect, it } from 'vitest'
import type { Quote } from '../../src/pricing/schema.ts'
import { type OwnPrice, ownAdjustment, quoteAt } from '../../src/pricing/selling.ts'

const film = { model: 'acme/film-2', operation: 'video' as const }
const all: OwnPrice = { adjustment: { margin: '0.1' }, from: 0 }
const video: OwnPrice = { operation: 'video', adjustment: { discount: '0.2' }, from: 0 }
const vendor: OwnPrice = { model: 'acme/*', adjustment: { discount: '0.3' }, from: 0 }
const model: OwnPrice = { model: 'acme/film-2', adjustment: { margin: '0' }, from: 0 }

describe('of several prices', () => {
  it('the most specific stands alone, in whatever order they were set', () => {
    const prices = [all, video, vendor, model]
    for (const given of [prices, prices.toReversed()]) {
      expect(ownAdjustment(given, film, 1)).toEqual({ margin: '0' })
      expect(ownAdjustment(given, { model: 'acme/film-1', operation: 'video' }, 1)).toEqual({ discount: '0.3' })
      expect(ownAdjustment(given, { model: 'other/film', operation: 'video' }, 1)).toEqual({ discount: '0.2' })
      expect(ownAdjustment(given, { model: 'other/chat', operation: 'chat' }, 1)).toEqual({ margin: '0.1' })
    }
  })

  it('for the same thing the later one stands, from its day on', () => {
    const prices = [
      { ...model, adjustment: { discount: '0.5' }, from: 200 },
      { ...model, adjustment: { discount: '0.4' }, from: 100 },
    ]
    const at = [99, 100, 199, 200].map((now) => ownAdjustment(prices, film, now)?.discount)
    expect(at).toEqual([undefined, '0.4', '0.4', '0.5'])
  })

  it('none leaves the site its own', () => {
    expect(ownAdjustment([{ ...video, from: 5 }], film, 4)).toBeUndefined()
    expect(ownAdjustment([], film, 4)).toBeUndefined()
  })
})

describe('a quote at an own price', () => {
  const quote: Quote = { rates: [], adjustment: { margin: '0.5' }, from: '2026-11-01', source: 'test' }

  it('has it in place of the site’s, never both', () => {
    expect(quoteAt(quote, { discount: '0.2' })).toEqual({ ...quote, adjustment: { discount: '0.2' } })
    expect(quoteAt(quote, undefined)).toBe(quote)
  })

  it('is made once, so that its rates are read once', () => {
    expect(quoteAt(quote, { discount: '0.2' })).toBe(quoteAt(quote, { discount: '0.2' }))
    expect(quoteAt(quote, { margin: '0.2' })).not.toBe(quoteAt(quote, { discount: '0.2' }))
    expect(quoteAt(quote, { margin: '0.2' }).rates).toBe(quote.rates)
  })
})
