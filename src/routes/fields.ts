// Fields that several of our own routes take, each with the words for what is wrong with it.
import { z } from 'zod'
import { parseUsd } from '../ledger/money.ts'

const AMOUNT = 'must be a string with an amount in USD of 0 to 9 decimals, like "5.00"'

/** "5.00" to nano-USD; zero is allowed. */
export const amount = z.string({ error: AMOUNT }).transform((text, check) => {
  const nano = parseUsd(text)
  if (nano === undefined) check.addIssue({ code: 'custom', message: AMOUNT })
  return nano ?? 0n
})

export const amountAboveZero = amount.refine((nano) => nano > 0n, 'must be above zero')

const TIME = 'must be a time: Unix seconds, or ISO 8601 like "2027-01-31T00:00:00Z"'

/** Unix seconds or an ISO date; a query has either as text. */
export const time = z.union([z.number(), z.string()], { error: TIME }).transform((value, check) => {
  const text = String(value)
  const at = /^\d{1,11}$/.test(text)
    ? new Date(Number(text) * 1000)
    : new Date(/^\d{4}-\d\d-\d\d/.test(text) ? text : NaN)
  if (Number.isNaN(at.getTime())) check.addIssue({ code: 'custom', message: TIME })
  return at
})

// Control characters would break the lines of logs and tables.
export const text = (most: number) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(most, `must have at most ${most} characters`)
    .regex(/^\P{Cc}*$/u, 'must be one line of text')
