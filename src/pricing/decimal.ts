// Exact fractions of whole numbers, and decimal text in and out of them. Pure; a float is taken by its shortest decimal
// text, never by its binary value.

export interface Fraction {
  numerator: bigint
  /** Always positive. */
  denominator: bigint
}

export const ZERO: Fraction = { numerator: 0n, denominator: 1n }
export const ONE: Fraction = { numerator: 1n, denominator: 1n }

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/

/** The exact value of decimal text, as a person or String(number) writes it. Throws RangeError for anything else. */
export function fraction(text: string): Fraction {
  const match = NUMBER.exec(text)
  if (!match) throw new RangeError(`"${text}" is not a decimal number`)
  const [, sign, whole = '0', decimals = '', exponent = '0'] = match
  const digits = BigInt(`${sign}${whole}${decimals}`)
  const shift = Number(exponent) - decimals.length
  return shift >= 0
    ? { numerator: digits * 10n ** BigInt(shift), denominator: 1n }
    : { numerator: digits, denominator: 10n ** BigInt(-shift) }
}

export const multiply = (a: Fraction, b: Fraction): Fraction => ({
  numerator: a.numerator * b.numerator,
  denominator: a.denominator * b.denominator,
})

export function add(a: Fraction, b: Fraction): Fraction {
  if (a.denominator === b.denominator) return { numerator: a.numerator + b.numerator, denominator: a.denominator }
  return {
    numerator: a.numerator * b.denominator + b.numerator * a.denominator,
    denominator: a.denominator * b.denominator,
  }
}

export const subtract = (a: Fraction, b: Fraction): Fraction => add(a, { ...b, numerator: -b.numerator })

/** Below, equal or above zero, as for sort. */
export function compare(a: Fraction, b: Fraction): number {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** The nearest whole number; a tie goes to the even one. */
export function roundHalfEven({ numerator, denominator }: Fraction): bigint {
  const quotient = numerator / denominator
  const rest = numerator % denominator
  const twice = (rest < 0n ? -rest : rest) * 2n
  const away = twice > denominator || (twice === denominator && quotient % 2n !== 0n)
  if (!away) return quotient
  return quotient + (numerator < 0n ? -1n : 1n)
}

/** The shortest exact decimal text. Of a fraction that has none (a third) the first 18 places, cut off toward zero. */
export function decimalText({ numerator, denominator }: Fraction): string {
  const scaled = numerator * CUT
  // Nearly every amount fits into 18 places, and this is the way without factoring.
  if (scaled % denominator === 0n) return placed(scaled / denominator, CUT_PLACES)
  const places = decimalPlaces(lowestDenominator(numerator, denominator))
  if (places === undefined) return placed(scaled / denominator, CUT_PLACES)
  return placed((numerator * 10n ** BigInt(places)) / denominator, places)
}

const CUT_PLACES = 18
const CUT = 10n ** BigInt(CUT_PLACES)

/** A whole number of units of the last place as decimal text, without zeros at its end. */
function placed(units: bigint, places: number): string {
  const digits = (units < 0n ? -units : units).toString().padStart(places + 1, '0')
  const decimals = digits.slice(digits.length - places).replace(/0+$/, '')
  return `${units < 0n ? '-' : ''}${digits.slice(0, digits.length - places)}${decimals && `.${decimals}`}`
}

/** How many decimals a fraction in lowest terms needs: its denominator must be made of twos and fives. */
function decimalPlaces(denominator: bigint): number | undefined {
  let rest = denominator
  let twos = 0
  let fives = 0
  for (; rest % 2n === 0n; rest /= 2n) twos++
  for (; rest % 5n === 0n; rest /= 5n) fives++
  return rest === 1n ? Math.max(twos, fives) : undefined
}

function lowestDenominator(numerator: bigint, denominator: bigint): bigint {
  let a = numerator < 0n ? -numerator : numerator
  let b = denominator
  while (b !== 0n) [a, b] = [b, a % b]
  return denominator / a
}
