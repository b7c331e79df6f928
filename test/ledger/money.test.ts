// Amounts go into text and back without losing a nano-dollar.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatUsd, jsonUsd, parseUsd, shortUsd } from '../../src/ledger/money.ts'

const amounts = fc.bigInt({ min: 0n, max: 999_999_999_999_999_999n })

describe('money', () => {
  it('reads what it writes, to the nano-dollar', () => {
    fc.assert(
      fc.property(amounts, (amount) => {
        expect(parseUsd(formatUsd(amount))).toBe(amount)
        expect(parseUsd(shortUsd(amount))).toBe(amount)
      }),
    )
  })

  it('writes nine places always, and the shortest exact decimal where a number stands', () => {
    expect(formatUsd(40_000_000n)).toBe('0.040000000')
    expect(formatUsd(-1n)).toBe('-0.000000001')
    expect(formatUsd(10_000_000_000n)).toBe('10.000000000')
    expect(shortUsd(10_000_000_000n)).toBe('10')
    expect(shortUsd(100_500_000_000n)).toBe('100.5')
    expect(shortUsd(0n)).toBe('0')
    expect(shortUsd(1n)).toBe('0.000000001')
  })

  it('prints as a JSON number with every digit and without an exponent', () => {
    expect(JSON.stringify({ cost: jsonUsd(1n) })).toBe('{"cost":0.000000001}')
    expect(JSON.stringify({ cost: jsonUsd(999_999_999_999_999_999n) })).toBe('{"cost":999999999.999999999}')
    fc.assert(
      fc.property(amounts, (amount) => {
        const text = JSON.stringify({ cost: jsonUsd(amount) })
        expect(text).toBe(`{"cost":${shortUsd(amount)}}`)
        expect(Number.isFinite(JSON.parse(text).cost)).toBe(true)
      }),
    )
  })

  it('is the same in every order of formatting and adding', () => {
    fc.assert(
      fc.property(amounts, amounts, (one, other) => {
        expect(formatUsd(one - other)).toBe(one >= other ? formatUsd(one - other) : `-${formatUsd(other - one)}`)
      }),
    )
  })

  it.each([
    '',
    ' 1',
    '1 ',
    '+1',
    '-1',
    '1.',
    '.5',
    '01',
    '00',
    '1e3',
    '1,5',
    '1_000',
    '0x1',
    'NaN',
    'Infinity',
    '1.0000000001',
    '1000000000',
    '１',
    '1\n',
    '1.5.5',
    "0.1'",
    '9'.repeat(400),
  ])('refuses %j as an amount', (text) => {
    expect(parseUsd(text)).toBeUndefined()
  })

  it('reads nothing but decimals, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const amount = parseUsd(text)
        if (amount !== undefined) expect(text).toMatch(/^\d{1,9}(\.\d{1,9})?$/)
      }),
    )
  })
})
