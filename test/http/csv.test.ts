// Tables for spreadsheets hold what they should, and nothing that a spreadsheet would run.
import { expect, it } from 'vitest'
import type { Context } from '../../src/http/context.ts'
import { sendCsv } from '../../src/http/csv.ts'

function csv(rows: unknown[][]): string {
  const context = { set: () => undefined, body: '' }
  sendCsv(context as unknown as Context, 'a.csv', { columns: ['a', 'b'], rows })
  return context.body
}

it('quotes what has commas, quotes or lines in it', () => {
  expect(
    csv([
      ['x,y', 'say "hi"'],
      ['two\nlines', null],
    ]),
  ).toBe('a,b\r\n"x,y","say ""hi"""\r\n"two\nlines",\r\n')
})

it.each(['=1+1', '+1+1', '-1+1', '@SUM(A1)', '\tx', '\rx', '=cmd|"/c calc"!A1'])('makes %j text', (formula) => {
  expect(csv([[formula, 1]]).split('\r\n')[1]).toMatch(/^"?'/)
})

it('leaves amounts as they are, below zero too', () => {
  expect(csv([['-0.000000001', 5n]])).toBe('a,b\r\n-0.000000001,5\r\n')
})
