// The table of a replay: how many passed, were refused with a reason and failed, by whose recording it is and by format.
import type { Outcome } from './replay.ts'

const SHORT: Record<string, string> = {
  'openai-chat': 'chat',
  'openai-responses': 'responses',
  'anthropic-messages': 'messages',
  gemini: 'gemini',
}
const COLUMNS = Object.keys(SHORT)

interface Count {
  pass: number
  refuse: number
  fail: number
}

/** A row a source and its own format, a column a format of callers; `pass/refuse/fail` in each, own formats with a star. */
export function table(outcomes: Outcome[]): string {
  const rows = new Map<string, Map<string, Count>>()
  for (const { case: each, format, result } of outcomes) {
    for (const name of [`${each.source} (${SHORT[each.protocol]})`, 'all']) {
      const row = rows.get(name) ?? new Map<string, Count>()
      const count = row.get(format) ?? { pass: 0, refuse: 0, fail: 0 }
      count[result]++
      rows.set(name, row.set(format, count))
    }
  }
  const lines = [...rows].sort(
    ([one], [other]) => Number(one === 'all') - Number(other === 'all') || one.localeCompare(other),
  )
  const cells = [
    ['recording (its format)', ...COLUMNS.map((name) => String(SHORT[name]))],
    ...lines.map(([name, row]) => [
      name,
      ...COLUMNS.map((format) => {
        const { pass = 0, refuse = 0, fail = 0 } = row.get(format) ?? {}
        return `${pass}/${refuse}/${fail}${name.includes(`(${SHORT[format]})`) ? '*' : ' '}`
      }),
    ]),
  ]
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0))) ?? []
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Why requests were refused, most often first. */
export function refusals(outcomes: Outcome[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const { result, reason = '' } of outcomes) {
    if (result === 'refuse') counts.set(reason, (counts.get(reason) ?? 0) + 1)
  }
  return [...counts].sort(([, one], [, other]) => other - one)
}

export const failures = (outcomes: Outcome[]): string[] =>
  outcomes
    .filter(({ result }) => result === 'fail')
    .map(({ case: each, format, mode, reason }) => `${each.id} (${each.protocol}) as ${format} ${mode}: ${reason}`)
