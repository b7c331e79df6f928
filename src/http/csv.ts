// Tables for spreadsheets: RFC 4180, in UTF-8. What a spreadsheet would run as a formula is made text by an apostrophe.
import { Readable } from 'node:stream'
import type { Context } from './context.ts'

export interface CsvTable {
  columns: string[]
  rows: Iterable<unknown[]>
}

/** A number may begin with a minus; nothing else may that looks like a formula (OWASP, "CSV Injection"). */
const FORMULA = /^[=+\-@\t\r]/
const NUMBER = /^-?\d+(\.\d+)?$/
const PIECE_LENGTH = 16_384

export function sendCsv(context: Context, filename: string, { columns, rows }: CsvTable): void {
  announce(context, filename)
  context.body = [columns, ...rows].map(line).join('')
}

/** For tables of any length: rows go out as they come, and one that fails breaks the download off. */
export function streamCsv(
  context: Context,
  filename: string,
  { columns, rows }: { columns: string[]; rows: AsyncIterable<unknown[]> },
): void {
  announce(context, filename)
  context.body = Readable.from(lines(columns, rows))
}

async function* lines(columns: string[], rows: AsyncIterable<unknown[]>): AsyncGenerator<string> {
  let piece = line(columns)
  for await (const row of rows) {
    piece += line(row)
    if (piece.length < PIECE_LENGTH) continue
    yield piece
    piece = ''
  }
  yield piece
}

function announce(context: Context, filename: string): void {
  context.set('content-type', 'text/csv; charset=utf-8')
  context.set('content-disposition', `attachment; filename="${filename}"`)
}

const line = (row: unknown[]): string => `${row.map(cell).join(',')}\r\n`

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text = String(value)
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
