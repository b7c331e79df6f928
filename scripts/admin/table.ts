// Tables for the terminal: columns as wide as they need, numbers to the right. It knows nothing of what it shows.

export interface Column {
  title: string
  /** The field of a row. */
  field: string
  show?: (value: unknown) => string
}

const plain = (value: unknown): string => (value === null || value === undefined ? '-' : String(value))

export function table(columns: Column[], rows: Record<string, unknown>[]): string {
  if (rows.length === 0) return 'None.'
  const cells = rows.map((row) => columns.map(({ field, show = plain }) => show(row[field])))
  const titles = columns.map(({ title }) => title)
  const widths = titles.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)))
  const numeric = titles.map((_, column) => cells.every((row) => /^-?[\d.]+$|^-$/.test(row[column] ?? '')))
  const line = (texts: string[]) =>
    texts
      .map((text, column) => (numeric[column] ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd()
  return [line(titles), ...cells.map(line)].join('\n')
}

/** Unix seconds, to the minute, in UTC. */
export const time = (value: unknown): string =>
  typeof value === 'number' ? new Date(value * 1000).toISOString().slice(0, 16).replace('T', ' ') : '-'
