// What holds in the sandbox for every text whatever: tokens, orders, wrapped lines and marked sounds.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { wrap } from '../../../providers/sandbox/lettering.ts'
import { readOrders } from '../../../providers/sandbox/orders.ts'
import { findMarked, markFor } from '../../../providers/sandbox/sound/mark.ts'
import { countTokens, tokensOf } from '../../../providers/sandbox/tokens.ts'
import { ProviderError } from '../../../src/contract.ts'

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.string({ unit: fc.constantFrom(' ', '\n', 'a', '7', '"', '['), maxLength: 60 }),
)

test('tokens joined are the text again, and there are no more of them than bytes', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(tokensOf(text).join('')).toBe(text)
      expect(countTokens(text)).toBeLessThanOrEqual(Buffer.byteLength(text))
    }),
  )
})

test('an answer cut after any token has exactly the tokens that were kept', () => {
  fc.assert(
    fc.property(anyText, fc.nat(50), (text, kept) => {
      const tokens = tokensOf(text).slice(0, kept)
      expect(countTokens(tokens.join(''))).toBe(tokens.length)
    }),
  )
})

test('orders are read or refused as an invalid request, whatever stands between the brackets', () => {
  const order = fc.oneof(
    anyText,
    fc
      .tuple(fc.constantFrom('fail', 'delay', 'tool', 'tokens', 'cut', 'no-usage', 'x'), anyText)
      .map(([name, rest]) => `${name}:${rest}`),
  )
  fc.assert(
    fc.property(anyText, order, anyText, (before, inside, after) => {
      try {
        expect(
          readOrders(`${before}[[${inside}]]${after}`, { param: 'prompt', chat: true }).delay_ms,
        ).toBeGreaterThanOrEqual(0)
      } catch (error) {
        if (!(error instanceof ProviderError)) throw error
        expect(error.kind).toBe('invalid_request')
      }
    }),
  )
})

test('lines are never longer nor more than asked for', () => {
  fc.assert(
    fc.property(
      anyText,
      fc.integer({ min: 3, max: 40 }),
      fc.integer({ min: 1, max: 5 }),
      (text, columns, most_lines) => {
        const lines = wrap(text, columns, most_lines)
        expect(lines.length).toBeLessThanOrEqual(most_lines)
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns)
      },
    ),
  )
})

test('a marked text is found again amid any bytes', () => {
  fc.assert(
    fc.property(anyText, fc.uint8Array(), fc.uint8Array(), (text, before, after) => {
      expect(findMarked(Buffer.concat([before, Buffer.from(markFor(text)), after]))).toBe(text)
    }),
  )
})
