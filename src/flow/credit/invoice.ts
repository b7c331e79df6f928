// A provider's invoice held against what its jobs should have cost, day by day and model by model. It changes nothing.
import { formatUsd, NANO_PER_USD, type NanoUsd } from '../../ledger/money.ts'
import { fraction, multiply, roundHalfEven } from '../../pricing/decimal.ts'
import { Failure } from '../failure.ts'
import type { Services } from '../services.ts'
import { type DayRow, readDays } from './margin.ts'

const ROWS_MAX = 100_000
const DAY_MS = 86_400_000
/** `date,model,amount_usd`, in any order, among other columns. */
const COLUMNS = ['date', 'model', 'amount_usd'] as const

interface InvoiceRow {
  day: string
  model: string
  amount: NanoUsd
}

export interface InvoiceLine {
  day: string
  /** As the invoice has it, or as we do where it has none. */
  model: string
  /** What the invoice says, and what our jobs come to at the list price. */
  invoiced_usd: string
  expected_usd: string
  /** Invoiced less expected. */
  difference_usd: string
  jobs: number
}

export interface InvoiceView {
  object: 'invoice'
  provider: string
  from: string
  to: string
  invoiced_usd: string
  expected_usd: string
  difference_usd: string
  /** Lines that differ by more than the tolerance; the greatest difference first. */
  differences: InvoiceLine[]
  lines: number
}

/** Throws Failure invalid_invoice with the line, and what `readDays` throws for more days than it takes. */
export async function compareInvoice(
  services: Pick<Services, 'store'>,
  { provider, csv, tolerance }: { provider: string; csv: string; tolerance: NanoUsd },
): Promise<InvoiceView> {
  const rows = readInvoice(csv)
  const days = rows.map(({ day }) => day).sort()
  const [from, to] = [days[0] ?? '', days.at(-1) ?? '']
  const end = new Date(Date.parse(to) + DAY_MS)
  const ours = (await readDays(services, { from: new Date(from), to: end })).filter((row) => row.provider === provider)
  const lines = matched(rows, ours)
  const sum = (amounts: NanoUsd[]) => amounts.reduce((total, amount) => total + amount, 0n)
  const [invoiced, expected] = [sum(lines.map((line) => line.invoiced)), sum(lines.map((line) => line.expected))]
  const differing = lines.filter((line) => magnitude(line.invoiced - line.expected) > tolerance)
  differing.sort((a, b) => Number(magnitude(b.invoiced - b.expected) - magnitude(a.invoiced - a.expected)))
  return {
    ...{ object: 'invoice', provider, from, to, ...amounts(invoiced, expected), lines: lines.length },
    differences: differing.map(({ day, model, jobs, ...line }) => ({
      ...{ day, model, ...amounts(line.invoiced, line.expected), jobs },
    })),
  }
}

const amounts = (invoiced: NanoUsd, expected: NanoUsd) => ({
  invoiced_usd: formatUsd(invoiced),
  expected_usd: formatUsd(expected),
  difference_usd: formatUsd(invoiced - expected),
})

const magnitude = (amount: NanoUsd): NanoUsd => (amount < 0n ? -amount : amount)

interface Line {
  day: string
  model: string
  invoiced: NanoUsd
  expected: NanoUsd
  jobs: number
}

/** The invoice may name a model as the provider does or as we do. */
function matched(rows: InvoiceRow[], ours: DayRow[]): Line[] {
  const lines = new Map<string, Line>()
  const lineOf = (day: string, model: string): Line => {
    const name = JSON.stringify([day, model])
    const line = lines.get(name) ?? { day, model, invoiced: 0n, expected: 0n, jobs: 0 }
    lines.set(name, line)
    return line
  }
  for (const { day, model, amount } of rows) lineOf(day, model).invoiced += amount
  for (const { day, model, upstream, list, jobs } of ours) {
    const named = [upstream, model].find((name) => lines.has(JSON.stringify([day, name]))) ?? upstream
    const line = lineOf(day, named)
    line.expected += list
    line.jobs += jobs
  }
  return [...lines.values()]
}

/** Throws Failure invalid_invoice. */
function readInvoice(csv: string): InvoiceRow[] {
  const [header, ...lines] = csv.replace(/^\uFEFF/, '').split(/\r?\n/)
  const names = cellsOf(header ?? '').map((name) => name.trim().toLowerCase())
  const places = COLUMNS.map((name) => names.indexOf(name))
  const missing = COLUMNS.filter((_, index) => places[index] === -1)
  if (missing.length > 0) throw invalid(1, `has no column ${missing.join(', ')}; it needs ${COLUMNS.join(', ')}`)
  if (lines.length > ROWS_MAX)
    throw invalid(ROWS_MAX, `is the last one that is read: at most ${ROWS_MAX} lines at once`)
  const rows = lines.flatMap((line, index) => {
    if (line.trim() === '') return []
    const cells = cellsOf(line)
    const [day = '', model = '', amount = ''] = places.map((place) => cells[place]?.trim() ?? '')
    return [readRow(index + 2, day, model, amount)]
  })
  if (rows.length === 0) throw invalid(2, 'is not there: the invoice has no lines')
  return rows
}

function readRow(line: number, day: string, model: string, amount: string): InvoiceRow {
  const date = day.slice(0, 10)
  if (!/^\d{4}-\d\d-\d\d$/.test(date) || Number.isNaN(Date.parse(date)))
    throw invalid(line, 'has a date that is none, like 2026-11-21')
  if (model === '') throw invalid(line, 'has no model')
  if (!/^-?\d{1,9}(\.\d{1,18})?$/.test(amount)) throw invalid(line, 'has an amount_usd that is no decimal, like 12.34')
  const nano = roundHalfEven(multiply(fraction(amount), { numerator: NANO_PER_USD, denominator: 1n }))
  return { day: date, model, amount: nano }
}

/** A line of CSV; quotes as RFC 4180 has them, but no line breaks within. */
function cellsOf(line: string): string[] {
  const cells = line.match(/("([^"]|"")*"|[^,]*)(,|$)/g) ?? []
  return cells
    .slice(0, line.endsWith(',') ? undefined : -1)
    .map((cell) => cell.replace(/,$/, ''))
    .map((cell) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell))
}

const invalid = (line: number, what: string) =>
  new Failure(400, 'invalid_invoice', `Line ${line} of the invoice ${what}.`, { param: 'csv' })
