/** `$dateToString` and `$dateTrunc`, in UTC: reports are by UTC days; another timezone is refused. */
import { badValue } from './errors.ts'
import type { Expression } from './expressions.ts'
import { type Document, isDocument, numberOf } from './values.ts'

type Compile = (part: unknown) => Expression

function readFields(name: string, operand: unknown, known: readonly string[]): Document {
  if (!isDocument(operand)) throw badValue(`${name} requires a document with its arguments`)
  for (const key of Object.keys(operand))
    if (!known.includes(key)) throw badValue(`Unrecognized argument to ${name}: ${key}`)
  if (
    operand.timezone !== undefined &&
    !['UTC', 'GMT', 'Z', '+00:00', '+0000', '+00'].includes(String(operand.timezone))
  ) {
    throw badValue(`${name} supports only the timezone UTC in this store`)
  }
  if (operand.date === undefined) throw badValue(`Missing 'date' parameter to ${name}`)
  return operand
}

function dateOf(name: string, value: unknown): Date | undefined {
  if (value === null || value === undefined) return undefined
  if (value instanceof Date) return value
  throw badValue(`${name} requires a date`)
}

const pad = (value: number, length: number): string => String(value).padStart(length, '0')
const day_ms = 86_400_000

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / day_ms) + 1
}

/** The ISO week belongs to the year that its Thursday is in. */
function isoWeek(date: Date): { year: number; week: number } {
  const thursday = new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * day_ms)
  return { year: thursday.getUTCFullYear(), week: Math.ceil(dayOfYear(thursday) / 7) }
}

const directives: Record<string, (date: Date) => string> = {
  '%Y': (date) => pad(date.getUTCFullYear(), 4),
  '%m': (date) => pad(date.getUTCMonth() + 1, 2),
  '%d': (date) => pad(date.getUTCDate(), 2),
  '%H': (date) => pad(date.getUTCHours(), 2),
  '%M': (date) => pad(date.getUTCMinutes(), 2),
  '%S': (date) => pad(date.getUTCSeconds(), 2),
  '%L': (date) => pad(date.getUTCMilliseconds(), 3),
  '%j': (date) => pad(dayOfYear(date), 3),
  '%u': (date) => String(date.getUTCDay() || 7),
  '%w': (date) => String(date.getUTCDay() + 1),
  '%G': (date) => pad(isoWeek(date).year, 4),
  '%V': (date) => pad(isoWeek(date).week, 2),
  '%z': () => '+0000',
  '%Z': () => '0',
  '%%': () => '%',
}

export function compileDateToString(operand: unknown, compile: Compile): Expression {
  const fields = readFields('$dateToString', operand, ['date', 'format', 'timezone', 'onNull'])
  const format = fields.format ?? '%Y-%m-%dT%H:%M:%S.%LZ'
  if (typeof format !== 'string') throw badValue('$dateToString requires that format be a string')
  for (const [directive] of format.matchAll(/%.?/g)) {
    if (directives[directive] === undefined) throw badValue(`Invalid format character '${directive}' in format string`)
  }
  const date = compile(fields.date)
  const on_null = compile(fields.onNull ?? null)
  return (document) => {
    const value = dateOf('$dateToString', date(document))
    return value === undefined
      ? on_null(document)
      : format.replace(/%./g, (directive) => directives[directive]?.(value) ?? directive)
  }
}

const week_days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
const unit_ms: Record<string, number> = { millisecond: 1, second: 1000, minute: 60_000, hour: 3_600_000, day: day_ms }
/** MongoDB counts bins from the first moment of the year 2000. */
const reference = Date.UTC(2000, 0, 1)

export function compileDateTrunc(operand: unknown, compile: Compile): Expression {
  const fields = readFields('$dateTrunc', operand, ['date', 'unit', 'binSize', 'timezone', 'startOfWeek'])
  const bin = Number(numberOf(fields.binSize ?? 1))
  if (!Number.isInteger(bin) || bin < 1) throw badValue('$dateTrunc requires binSize to be a positive whole number')
  const truncate = truncation(String(fields.unit), bin, String(fields.startOfWeek ?? 'sunday').toLowerCase())
  const date = compile(fields.date)
  return (document) => {
    const value = dateOf('$dateTrunc', date(document))
    return value === undefined ? null : new Date(truncate(value))
  }
}

function truncation(unit: string, bin: number, start_of_week: string): (date: Date) => number {
  const months = { month: 1, quarter: 3, year: 12 }[unit]
  if (months !== undefined) return (date) => truncateMonths(date, months * bin)
  const ms = unit === 'week' ? 7 * day_ms : unit_ms[unit]
  if (ms === undefined) throw badValue(`$dateTrunc does not know the unit '${unit}'`)
  const start = week_days.findIndex((day) => day === start_of_week || day.slice(0, 3) === start_of_week)
  if (start < 0) throw badValue(`$dateTrunc does not know the day '${start_of_week}'`)
  // 2000-01-01 was a Saturday: the first week of the bins is the first that begins on the wanted day.
  const from = unit === 'week' ? reference + ((start - 6 + 7) % 7) * day_ms : reference
  return (date) => from + Math.floor((date.getTime() - from) / (ms * bin)) * ms * bin
}

function truncateMonths(date: Date, months: number): number {
  const since = (date.getUTCFullYear() - 2000) * 12 + date.getUTCMonth()
  return Date.UTC(2000, Math.floor(since / months) * months, 1)
}
