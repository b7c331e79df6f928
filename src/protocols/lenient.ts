// Reading what providers answer without trusting its shape: what is not as expected is empty or absent, never a fault.

/** More than any model can read or write in one call; a number beyond it is a fault, not a bill. */
const ABSURD = 100_000_000

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The object, or an empty one. */
export const record = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {})

/** A count of tokens: a whole number from 0 to the absurd, or undefined. */
export function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < ABSURD ? value : undefined
}
