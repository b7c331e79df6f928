// Turns an adapter on: its settings from the environment, then its connection. It never touches the network and never
// puts a setting's value into a message.
import { readFileSync } from 'node:fs'
import { type Connection, OPERATIONS, type ProviderDefinition } from '../contract.ts'
import { didYouMean, type Fault } from '../pricing/fault.ts'
import type { RegistryOptions } from '../registry.ts'
import type { Adapter } from './discover.ts'

export interface FoundProvider {
  id: string
  definition: ProviderDefinition
  /** Undefined if the provider is off, for `reason`, or at fault. */
  connection?: Connection
  /** `host` or `host:port` of its addresses among the settings: files may come from there even if they are private. */
  hosts?: readonly string[]
  reason?: string
  faults: Fault[]
}

const SANDBOX = 'sandbox'

export function connectProvider(adapter: Adapter, options: RegistryOptions): FoundProvider {
  const { id, definition, file } = adapter
  const off = (reason: string, faults: Fault[] = []): FoundProvider => ({ id, definition, reason, faults })
  if (id === SANDBOX && !options.sandbox) return off('SANDBOX=off')
  const settings = readSettings(adapter, options.environment)
  if (settings.faults.length > 0) return off('its settings are wrong', settings.faults)
  if (settings.missing.length > 0)
    return off(`${settings.missing.join(' and ')} ${settings.missing.length > 1 ? 'are' : 'is'} not set`)
  try {
    const connection = definition.connect(settings.values, options.makeTools(id))
    const faults = connectionFaults(connection).map((fault) => ({ file, ...fault }))
    return faults.length > 0
      ? off('its connection is wrong', faults)
      : { id, definition, connection: Object.freeze(connection), hosts: hostsOf(settings.values), faults }
  } catch (error) {
    const problem = `connect failed: ${error instanceof Error ? error.message : String(error)}`
    return off(problem, [{ file, place: 'connect', problem, remedy: 'correct the adapter or its settings' }])
  }
}

function hostsOf(settings: Record<string, unknown>): string[] {
  const urls = Object.values(settings).map((value) => (typeof value === 'string' ? URL.parse(value) : null))
  return urls.filter((url) => url?.protocol === 'https:' || url?.protocol === 'http:').map((url) => url?.host ?? '')
}

interface Settings {
  values: Record<string, unknown>
  /** Names of variables that are required and absent. */
  missing: string[]
  faults: Fault[]
}

function readSettings({ id, definition, file }: Adapter, environment: RegistryOptions['environment']): Settings {
  const prefix = id.toUpperCase().replaceAll('-', '_')
  const raw: Record<string, string> = {}
  const names = new Map<string, string>()
  const faults: Fault[] = []
  for (const key of Object.keys(definition.settings.shape)) {
    const own = `${prefix}_${key.toUpperCase()}`
    const known = definition.environment?.[key]
    names.set(key, known ?? own)
    for (const name of known === undefined || known === own ? [own] : [own, known]) {
      if (raw[key] !== undefined) continue
      const value = readVariable(name, environment, faults)
      if (value === undefined) continue
      raw[key] = value
      names.set(key, name)
    }
  }
  const parsed = definition.settings.safeParse(raw)
  if (parsed.success) {
    for (const [key, value] of Object.entries(parsed.data)) {
      // A header cannot carry it, and the error about that would name it whole.
      if (typeof value !== 'string' || /^\P{Cc}*$/u.test(value)) continue
      const problem = 'has a line break or another control character in it'
      faults.push({ file: 'environment', place: names.get(key) ?? key, problem, remedy: 'set it again, on one line' })
    }
    return { values: parsed.data, missing: [], faults }
  }
  const missing = new Set<string>()
  for (const { path, message } of parsed.error.issues) {
    const key = String(path[0])
    const place = names.get(key) ?? key
    if (raw[key] === undefined) missing.add(place)
    else faults.push({ file: 'environment', place, problem: message, remedy: `correct it; ${file} says what it takes` })
  }
  return { values: {}, missing: [...missing], faults }
}

/** A variable, or the file that `<NAME>_FILE` names. An empty one is not set: templates have `ACME_API_KEY=`. */
function readVariable(name: string, environment: RegistryOptions['environment'], faults: Fault[]): string | undefined {
  if (environment[name]) return environment[name]
  const path = environment[`${name}_FILE`]
  if (!path) return undefined
  try {
    return readFileSync(path, 'utf8').trim() || undefined
  } catch {
    const problem = `the file ${path} cannot be read`
    faults.push({
      file: 'environment',
      place: `${name}_FILE`,
      problem,
      remedy: 'correct the path or the rights of the file',
    })
    return undefined
  }
}

function connectionFaults(connection: unknown): Omit<Fault, 'file'>[] {
  const isConnection = typeof connection === 'object' && connection !== null
  if (!isConnection)
    return [{ place: 'connect', problem: 'returned no connection', remedy: 'return the operations it serves' }]
  return Object.entries(connection).flatMap(([name, member]) => memberFaults(name, member))
}

function memberFaults(name: string, member: unknown): Omit<Fault, 'file'>[] {
  const place = `connect().${name}`
  if (!(OPERATIONS as readonly string[]).includes(name)) {
    return [{ place, problem: `"${name}" is not an operation`, remedy: didYouMean(name, OPERATIONS) }]
  }
  if (member === undefined) return []
  if (name !== 'chat')
    return has(member, 'start') ? [] : [{ place, problem: 'has no start', remedy: 'write start(request, call)' }]
  const isList = Array.isArray(member) && member.length > 0 && member.every((each) => has(each, 'stream'))
  return isList
    ? []
    : [
        {
          place,
          problem: 'is not a list of chat connections',
          remedy: 'put the protocols it speaks into a list, best first',
        },
      ]
}

const has = (value: unknown, name: string) =>
  typeof value === 'object' && value !== null && typeof Reflect.get(value, name) === 'function'
