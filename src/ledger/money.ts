// Money: USD as whole nano-dollars (1e-9) in a bigint, and its only ways in and out of text. Pure; floats never enter.

/** Whole nano-USD. Stored as BSON Int64, whose range is plus or minus 9.2 billion dollars. */
export type NanoUsd = bigint

export const NANO_PER_USD = 1_000_000_000n
const AMOUNT = /^(0|[1-9]\d{0,8})(?:\.(\d{1,9}))?$/

/** Reads an amount that a person sent, "12.34": a string with 0 to 9 decimals, below a billion dollars; undefined if it is anything else. */
export function parseUsd(text: string): NanoUsd | undefined {
  const match = AMOUNT.exec(text)
  if (!match) return undefined
  return BigInt(match[1] ?? '0') * NANO_PER_USD + BigInt((match[2] ?? '').padEnd(9, '0'))
}

/** "0.040000000": nine places always, as money stands in our own JSON. */
export function formatUsd(amount: NanoUsd): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(10, '0')
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`
}

/** "0.04": the shortest exact decimal, which is also a JSON number. */
export function shortUsd(amount: NanoUsd): string {
  return formatUsd(amount).replace(/\.?0+$/, '')
}

/** A JSON number that prints exactly, for `usage.cost`: JSON.stringify of a double would write 1e-9 or lose digits. */
export function jsonUsd(amount: NanoUsd): unknown {
  return rawJson(shortUsd(amount))
}

// JSON.rawJSON is in V8 since 11.4; TypeScript's library does not declare it yet (7.0.2, 2026-11).
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON
