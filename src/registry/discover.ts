// Finds adapters by their file names and loads them. It connects nothing; what is wrong with a file is collected.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import type { ProviderDefinition } from '../contract.ts'
import type { Fault } from '../pricing/fault.ts'
import { shownPath } from '../pricing/load.ts'
import { letPluginsImport } from './plugins.ts'

export interface Adapter {
  id: string
  file: string
  definition: ProviderDefinition
}
export interface Discovered {
  providers: Adapter[]
  /** Of everything found, loadable or not. */
  names: ReadonlySet<string>
  faults: Fault[]
  warnings: Fault[]
}

interface Place {
  id: string
  path: string
  folder: string
}

/** Loads `*.ts` and `<name>/index.ts` of every folder; an adapter of a later folder takes the place of one before it. */
export async function discover(folders: readonly string[]): Promise<Discovered> {
  const faults: Fault[] = []
  const warnings: Fault[] = []
  const places = new Map<string, Place>()
  for (const place of folders.flatMap((folder) => placesIn(folder, faults))) {
    const before = places.get(place.id)
    if (before?.folder === place.folder) faults.push(duplicate(place, before))
    else if (before) warnings.push(replaced(place, before))
    places.set(place.id, place)
  }
  letPluginsImport(folders)
  const loaded = await Promise.all([...places.values()].map((place) => load(place)))
  const providers = loaded.flatMap((each) => ('definition' in each ? [each] : []))
  faults.push(...loaded.flatMap((each) => ('problem' in each ? [each] : [])))
  return {
    providers: providers.sort((a, b) => (a.id < b.id ? -1 : 1)),
    names: new Set(places.keys()),
    faults,
    warnings,
  }
}

const ID = /^[a-z][a-z0-9-]*$/

function placesIn(folder: string, faults: Fault[]): Place[] {
  if (!existsSync(folder)) {
    const remedy = 'make it, or correct PROVIDERS_DIR'
    faults.push({ file: shownPath(folder), place: '', problem: 'there is no such folder', remedy })
    return []
  }
  const places = readdirSync(folder, { withFileTypes: true })
    .map(({ name }) =>
      name.endsWith('.ts') ? { id: name.slice(0, -3), path: join(folder, name) } : index(folder, name),
    )
    .filter(({ id, path }) => !/^[._]/.test(id) && !/\.(test|d)$/.test(id) && existsSync(path))
  return places.flatMap(({ id, path }) => {
    if (ID.test(id)) return [{ id, path, folder }]
    const remedy = 'rename it: lower case letters, digits and dashes, beginning with a letter'
    faults.push({ file: shownPath(path), place: '', problem: `"${id}" cannot be the id of a provider`, remedy })
    return []
  })
}

const index = (folder: string, name: string) => ({ id: name, path: join(folder, name, 'index.ts') })

const duplicate = (place: Place, before: Place): Fault => ({
  file: shownPath(place.path),
  place: '',
  problem: `${shownPath(before.path)} is the provider "${place.id}" already`,
  remedy: 'rename or remove one of them',
})

const replaced = (place: Place, before: Place): Fault => ({
  file: shownPath(place.path),
  place: '',
  problem: `takes the place of ${shownPath(before.path)}`,
  remedy: 'rename it if that is not meant',
})

async function load({ id, path }: Place): Promise<Adapter | Fault> {
  const file = shownPath(path)
  try {
    // The time of the last change makes a new module of a changed file. The old one stays in memory (a few KB a reload),
    // and files that the adapter itself imports are not read again: for those, restart.
    const module: unknown = await import(`${pathToFileURL(path).href}?v=${Math.round(statSync(path).mtimeMs)}`)
    const parsed = moduleSchema.safeParse(module)
    if (parsed.success) return { id, file, definition: parsed.data.default as unknown as ProviderDefinition }
    const problem = parsed.error.issues
      .map((issue) => `${issue.path.slice(1).join('.')} ${issue.message}`.trim())
      .join(', ')
    return {
      file,
      place: 'export default',
      problem,
      remedy: 'export default defineProvider({ … }), as src/contract.ts has it',
    }
  } catch (error) {
    const problem = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').slice(0, 300)
    return { file, place: '', problem: `could not be loaded: ${problem}`, remedy: 'correct the adapter' }
  }
}

/** An adapter may bring its own copy of zod: its settings are known by what they can do, not by their class. */
const settingsSchema = z.custom<{ shape: object; safeParse: unknown }>(
  (value) => isObject(value) && isObject(value.shape) && typeof value.safeParse === 'function',
  'must be a z.object',
)
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const moduleSchema = z.object({
  default: z.strictObject(
    {
      contract: z.literal(1, 'must be 1, the version of the contract that this router has'),
      name: z.string('must be the name for people').min(1, 'must not be empty'),
      docs: z.string('must say where models and prices are published').min(1, 'must not be empty'),
      settings: settingsSchema,
      environment: z
        .record(z.string(), z.string().regex(/^[A-Z][A-Z0-9_]*$/, 'must be the name of a variable'))
        .optional(),
      options: z
        .custom<unknown>(
          (value) => typeof value === 'function' || (isObject(value) && typeof value.safeParse === 'function'),
          'must be a schema of zod, or a function that makes one',
        )
        .optional(),
      polls_per_second: z.number('must be a number').positive('must be more than 0').optional(),
      connect: z.custom<unknown>((value) => typeof value === 'function', 'must be a function'),
    },
    'there is no default export of a provider',
  ),
})
