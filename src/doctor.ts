// Examines what an operator set up (adapters, prices, settings) and says it in plain text. It calls no provider and never
// opens the store.
import type { Tools } from './contract.ts'
import { faultLine } from './pricing/fault.ts'
import {
  buildRegistry,
  type Fault,
  type ProviderState,
  type Registry,
  RegistryFaults,
  type RegistryOptions,
} from './registry.ts'

export interface Diagnosis {
  /** No fault: warnings are no reason not to start. */
  healthy: boolean
  text: string
}

export async function examine(options: Omit<RegistryOptions, 'makeTools'>): Promise<Diagnosis> {
  try {
    const registry = await buildRegistry({ ...options, makeTools: () => UNPLUGGED })
    return { healthy: true, text: describe(registry) }
  } catch (error) {
    if (!(error instanceof RegistryFaults)) throw error
    const text = section(`${count(error.faults, 'fault')}: the router will not start`, error.faults)
    return { healthy: false, text }
  }
}

/** Adapters are connected to see whether they can be; one that calls its provider while connecting breaks the contract. */
const unplugged = () => Promise.reject(new Error('connect() must not use the network'))
const UNPLUGGED: Tools = { fetch: Object.assign(unplugged, { send: unplugged }) }

function describe({ providers, warnings, offers }: Registry): string {
  const on = providers.filter(({ status }) => status === 'on')
  const rows = [...on, ...providers.filter(({ status }) => status === 'off')].map(row)
  const summary = `${on.length} of ${count(providers, 'provider')} on, ${count([...offers.keys()], 'model')} served, no faults`
  const parts = [table(['', 'provider', 'models', 'operations', 'why it is off'], rows), summary]
  if (warnings.length > 0) parts.push(section(count(warnings, 'warning'), warnings))
  return parts.join('\n\n')
}

const row = ({ id, status, models, operations, reason = '' }: ProviderState): string[] => [
  status,
  id,
  String(models),
  operations.join(' '),
  reason,
]

const section = (title: string, faults: readonly Fault[]): string =>
  [title, ...faults.map((fault) => `  ${faultLine(fault)}`)].join('\n')

const count = (things: readonly unknown[], noun: string): string =>
  `${things.length} ${noun}${things.length === 1 ? '' : 's'}`

function table(header: string[], rows: string[][]): string {
  const lines = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
