// The figures of a sitting as a Markdown table, beside the targets that we set ourselves. It never measures.
import type { Figures } from './measures.ts'

/** A target's figures by name, `direct` among them. */
export type Results = Record<string, Figures>

interface Row {
  label: string
  value: (own: Figures, direct: Figures) => number | undefined
  digits?: number
  /** Our targets: the first, and the one after it. */
  at_most?: [number, number]
  at_least?: [number, number]
}

const difference = (own: number | undefined, direct: number | undefined) =>
  own === undefined || direct === undefined ? undefined : own - direct

const ROWS: Row[] = [
  { label: 'chat, c = 32: requests/s', value: (own) => own.chat_requests_s },
  {
    label: 'chat, c = 32: CPU µs per request',
    value: (own) => own.chat_cpu_us,
    at_most: [1000, 500],
  },
  { label: 'and in the store’s thread', value: (own) => own.chat_store_cpu_us },
  { label: 'chat, c = 32: p99, ms', value: (own) => own.chat_p99_ms, digits: 1 },
  {
    label: 'chat, c = 1: added p50, ms',
    value: (own, direct) => difference(own.chat_alone_p50_ms, direct.chat_alone_p50_ms),
    digits: 2,
    at_most: [1.9, 1.0],
  },
  {
    label: 'paced stream: added time to first chunk, ms',
    value: (own, direct) => difference(own.first_chunk_p50_ms, direct.first_chunk_p50_ms),
    digits: 2,
    at_most: [3, 1],
  },
  {
    label: 'CPU µs per paced chunk (64 streams)',
    value: (own) => own.chunk_cpu_us,
    at_most: [100, 50],
  },
  {
    label: '1,000 slow streams: KB each',
    value: (own) => own.stream_kb,
    at_most: [150, 60],
  },
  {
    label: '1.5 MB picture: MB/s',
    value: (own) => own.image_mb_s,
    at_least: [300, 600],
  },
  {
    label: 'resident under load, MB',
    value: (own) => own.resident_mb,
    at_most: [250, 180],
  },
  {
    label: 'failed requests',
    value: (own) => sumOf([own.errors, own.stream_errors, own.slow_errors, own.image_errors]),
    at_most: [0, 0],
  },
]

function sumOf(counts: (number | undefined)[]): number | undefined {
  const known = counts.filter((count) => count !== undefined)
  return known.length === 0 ? undefined : known.reduce((sum, count) => sum + count, 0)
}

const OURS = 'switchyard'

function write(value: number | undefined, digits = 0): string {
  if (value === undefined || Number.isNaN(value)) return ''
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function misses({ at_most, at_least }: Row, value: number | undefined): boolean {
  if (value === undefined) return false
  return (at_most !== undefined && value > at_most[0]) || (at_least !== undefined && value < at_least[0])
}

function writeTargets({ at_most, at_least }: Row): string[] {
  const sign = at_most ? '≤' : '≥'
  return (at_most ?? at_least)?.map((limit) => `${sign} ${limit.toLocaleString('en-US')}`) ?? ['', '']
}

/** One row a figure, one column a gateway; a figure of ours that misses its first target is marked `!`. */
export function table(results: Results): string {
  const direct = results.direct ?? {}
  const names = Object.keys(results).filter((name) => name !== 'direct')
  const lines = [
    ['', ...names, 'first', 'then'],
    ['---', ...names.map(() => '--:'), '--:', '--:'],
    ...ROWS.map((row) => [
      row.label,
      ...names.map((name) => {
        const figure = row.value(results[name] ?? {}, direct)
        return `${write(figure, row.digits)}${name === OURS && misses(row, figure) ? ' !' : ''}`
      }),
      ...writeTargets(row),
    ]),
  ]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
