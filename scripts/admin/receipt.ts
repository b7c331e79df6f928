// A job's receipt on paper: each meter times its rate, the discount or margin, the rounding, and what was charged. It
// shows what the job says and works out nothing.
import type { Json } from './api.ts'
import { type Column, table, time } from './table.ts'

interface Line {
  meter: string
  quantity: number
  usd: string
  per: number
  when: Record<string, unknown>
  amount_usd: string
}

interface Billing {
  status: string
  hold_usd: string
  cost_usd: string | null
  lines: Line[]
  price: { provider: string; from: string | null; source: string | null } | null
  refunded_usd?: string
  refunds?: { id: string; amount_usd: string; reason: string; at: number | null }[]
}

const LINES: Column[] = [
  { title: 'METER', field: 'meter' },
  { title: 'QUANTITY', field: 'quantity' },
  { title: 'RATE', field: 'rate' },
  { title: 'USD', field: 'amount_usd' },
]
const REFUNDS: Column[] = [
  { title: 'REFUND', field: 'id' },
  { title: 'USD', field: 'amount_usd' },
  { title: 'AT', field: 'at', show: time },
  { title: 'REASON', field: 'reason' },
]

export function receipt(job: Json): string {
  const { status, hold_usd, cost_usd, lines, price, refunded_usd, refunds = [] } = job.billing as Billing
  const paragraphs = [
    `Receipt of ${job.id}\n${job.operation} · ${job.model} · ${job.provider ?? '-'} · ${job.status} · ${time(job.created_at)} UTC`,
    table(LINES, lines.map(row)),
    `Charged  ${cost_usd ?? 'nothing yet'}\nHeld     ${hold_usd} (${status})`,
  ]
  if (price) paragraphs.push(`At the price of ${price.from ?? '-'}: ${price.source ?? '-'}`)
  if (refunds.length > 0) paragraphs.push(`${table(REFUNDS, refunds.map(asRow))}\nRefunded ${refunded_usd ?? '-'}`)
  return paragraphs.join('\n\n')
}

/** The lines that are one amount have no rate to tell. */
const ONE_AMOUNT = new Set(['rounding', 'discount', 'margin', 'limit'])

function row({ meter, quantity, usd, per, when, amount_usd }: Line): Record<string, unknown> {
  const conditions = Object.entries(when).map(([name, value]) => `${name}=${String(value)}`)
  if (ONE_AMOUNT.has(meter)) return { meter: [meter, ...conditions].join(' '), quantity: '', rate: '', amount_usd }
  const rate = per === 1 ? usd : `${usd} per ${per}`
  return { meter: [meter, ...conditions].join(' '), quantity, rate, amount_usd }
}

const asRow = (refund: object): Record<string, unknown> => ({ ...refund })
