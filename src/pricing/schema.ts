// The form of a price file and of site.toml, and the quote made of them. It reads no files and does no sums.
import { z } from 'zod'
import { type JsonObject, METERS, type Meter, OPERATIONS, type Operation } from '../contract.ts'
import { parseUsd } from '../ledger/money.ts'

/** One price of one meter: `usd` (a plain decimal of any length) for `per` units, where every condition of `when` holds. */
export interface Rate {
  meter: Meter
  usd: string
  per: number
  /** Attributes of the usage that must be equal; `context_over` holds when all input meters together exceed it. */
  when: Record<string, string | number>
}

/** How the selling price differs from the list price: list × (1 − discount) or list × (1 + margin); at most one of them. */
export interface Adjustment {
  discount?: string | undefined
  margin?: string | undefined
}

/** Everything needed to charge a job, kept on the job as plain JSON, so that a price change never touches it. */
export interface Quote {
  rates: Rate[]
  adjustment: Adjustment
  /** The ISO date from which these rates hold. */
  from: string
  source: string
}

/** What a model takes; a request beyond it is refused before any hold. */
export interface Limits {
  /** Tokens of input and output together. */
  context?: number | undefined
  /** Tokens that one answer may have. */
  max_output_tokens?: number | undefined
  /** The output limit given to a chat that names none. */
  default_max_tokens?: number | undefined
  /** Outputs of one request, for pictures. */
  n?: number | undefined
  /** Lengths of film that can be made. */
  seconds?: number[] | undefined
  resolution?: string[] | undefined
  /** `WIDTHxHEIGHT`, or `auto`. */
  size?: string[] | undefined
  quality?: string[] | undefined
  aspect_ratio?: string[] | undefined
  /** Pictures of what should be seen, for films. */
  references?: number | undefined
  /** Characters of text to speak. */
  characters?: number | undefined
  /** Length of sound to transcribe. */
  audio_seconds?: number | undefined
  /** Texts in one embedding request. */
  inputs?: number | undefined
}

export interface PriceBlock {
  from: string
  rates: Rate[]
}
export interface ModelEntry {
  upstream: string
  operation: Operation[]
  created?: string | undefined
  limits: Limits
  /** For the provider's adapter, which checks them. */
  options: JsonObject
  prices: PriceBlock[]
}
export interface PriceFile {
  source: string
  checked: string
  /** The vendor whose own provider this is, where that is not the provider's id. */
  vendor?: string | undefined
  models: Record<string, ModelEntry>
}
/** Credit sold as one: `pay` of it is paid for, what `get` has beyond that is given on top. Amounts in nano-USD. */
export interface Pack {
  pay: bigint
  get: bigint
  /** How long the paid part lasts; without it for ever. */
  expires_days?: number | undefined
  /** How long what is given on top lasts; as long as the paid part if absent. */
  promotional_expires_days?: number | undefined
}
/** The site's own discount or margin: the most specific of model, operation and site stands alone, they never stack. */
export interface Site extends Adjustment {
  operations: Partial<Record<Operation, Adjustment>>
  models: Record<string, Adjustment>
  packs: Record<string, Pack>
}

/** A decimal in plain digits, as money and factors are written: quoted, because a TOML float is not exact. */
const PLAIN_DECIMAL = /^(0|[1-9]\d{0,8})(\.\d{1,18})?$/
const decimal = (example: string) =>
  z
    .string({ error: `must be a decimal in quotes, like "${example}"` })
    .regex(PLAIN_DECIMAL, `must be a plain decimal of at least 0, like "${example}"`)

/** smol-toml hands out dates as a class of its own; its text is the date as written. */
const date = z
  .custom<Date>((value) => value instanceof Date && !Number.isNaN(value.getTime()), {
    error: 'must be a date without quotes, like 2026-11-20',
  })
  .transform((value) => value.toISOString().slice(0, 10))

const whole = z.int({ error: 'must be a whole number' }).positive('must be at least 1')
const texts = z.array(z.string().min(1)).min(1)

const MODEL_NAME = /^[a-z0-9][a-z0-9._-]*\/(\*|[a-zA-Z0-9][a-zA-Z0-9._:+-]*)$/
const CONDITION_NAME = /^[a-z][a-z0-9_]*$/

const rateSchema = z.strictObject({
  meter: z.enum(METERS),
  usd: decimal('0.15'),
  per: whole.default(1),
  when: z
    .record(
      z.string().regex(CONDITION_NAME, 'must be in lower case, with _'),
      z.union([z.string().min(1), z.int().nonnegative()], { error: 'must be a text or a whole number' }),
    )
    .refine((when) => when.context_over === undefined || typeof when.context_over === 'number', {
      error: 'context_over must be a number of tokens',
    })
    .default({}),
})

const limitsSchema = z.strictObject({
  context: whole.optional(),
  max_output_tokens: whole.optional(),
  default_max_tokens: whole.optional(),
  n: whole.optional(),
  seconds: z.array(z.number().positive()).min(1).optional(),
  resolution: texts.optional(),
  size: texts.optional(),
  quality: texts.optional(),
  aspect_ratio: texts.optional(),
  references: whole.optional(),
  characters: whole.optional(),
  audio_seconds: z.number().positive().optional(),
  inputs: whole.optional(),
})

const operation = z.enum(OPERATIONS)
const modelSchema = z.strictObject({
  upstream: z.string().min(1),
  operation: z.union([operation.transform((one) => [one]), z.array(operation).min(1)]),
  created: date.optional(),
  limits: limitsSchema.default({}),
  options: z.record(z.string(), z.json()).default({}),
  prices: z
    .array(z.strictObject({ from: date, rates: z.array(rateSchema).min(1, 'must have at least one rate') }))
    .min(1),
})

export const priceFileSchema = z.strictObject({
  source: z.string('must say where the prices are published').min(1, 'must say where the prices are published'),
  checked: date,
  vendor: z.string().min(1).optional(),
  models: z
    .record(z.string().regex(MODEL_NAME, 'must be named vendor/name in lower case, like "acme/film-2"'), modelSchema)
    .default({}),
})

const discount = decimal('0.20').refine((text) => Number(text) <= 1, 'must be at most "1"')
const margin = decimal('0.15').refine((text) => Number(text) <= 100, 'must be at most "100"')
const adjustmentFields = { discount: discount.optional(), margin: margin.optional() }
const onlyOne = ({ discount, margin }: { discount?: string | undefined; margin?: string | undefined }) =>
  discount === undefined || margin === undefined
const ONLY_ONE = 'has both a discount and a margin: at most one of them'

const USD = 'must be an amount of USD in quotes with at most 9 decimals, like "400"'
const usd = z.string(USD).transform((text, check) => {
  const nano = parseUsd(text)
  if (nano === undefined || nano === 0n) check.addIssue({ code: 'custom', message: USD })
  return nano ?? 0n
})
const days = whole.max(3650, 'must be at most 3650 days').optional()
const packSchema = z
  .strictObject({ pay: usd, get: usd, expires_days: days, promotional_expires_days: days })
  .refine(({ pay, get }) => get >= pay, 'gives less than is paid for it')

export const adjustmentSchema = z.strictObject(adjustmentFields).refine(onlyOne, ONLY_ONE)
export const siteSchema = z
  .strictObject({
    ...adjustmentFields,
    operations: z.partialRecord(operation, adjustmentSchema).default({}),
    models: z.record(z.string().regex(MODEL_NAME, 'must be named vendor/name'), adjustmentSchema).default({}),
    packs: z
      .record(z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'must be named in lower case'), packSchema)
      .default({}),
  })
  .refine(onlyOne, ONLY_ONE)
