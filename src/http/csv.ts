// Tables for spreadsheets: RFC 4180, in UTF-8. What a spreadsheet would run as a formula is made text by an apostrophe.
import type { Context } from './context.ts'

export interface CsvTable {
  columns: string[]
  rows: Iterable<unknown[]>
}

/** A number may begin with a minus; nothing else may that looks like a formula (OWASP, "CSV Injection"). */
const FORMULA = /^[=+\-@\t\r]/
const NUMBER = /^-?\d+(\.\d+)?$/

export function sendCsv(context: Context, filename: string, { columns, rows }: CsvTable): void {
  const lines = [columns, ...rows].map((row) => row.map(cell).join(','))
  context.set('content-type', 'text/csv; charset=utf-8')
  context.set('content-disposition', `attachment; filename="${filename}"`)
  context.body = `${lines.join('\r\n')}\r\n`
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text = String(value)
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
