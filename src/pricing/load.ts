// Reads the price files and site.toml of the pricing folders. It throws nothing for what an operator wrote: it collects
// every fault, with its place in the file and the remedy.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import type { z } from 'zod'
import { rateFaults } from './check.ts'
import type { Fault } from './fault.ts'
import { type ModelEntry, type PriceFile, priceFileSchema, type Site, siteSchema } from './schema.ts'
import { schemaFaults } from './schema_fault.ts'

/** A provider's models with their prices, of one file, or of several folders laid over each other. */
export interface PricedModel extends ModelEntry {
  name: string
  source: string
  checked: string
  vendor: string | undefined
  /** The file it stands in, as an operator knows it. */
  file: string
}
export interface Prices {
  /** By provider, then by model. A provider with an empty file has an empty map. */
  providers: Map<string, Map<string, PricedModel>>
  /** The last file of each provider, for messages. */
  files: Map<string, string>
  site: Site
  site_file: string | undefined
  faults: Fault[]
}

const SITE = 'site.toml'
const EMPTY_SITE: Site = { operations: {}, models: {}, packs: {} }

/** Reads the folders in order: a model of a later folder takes the place of the same one before it; site.toml as a whole. */
export function loadPrices(folders: readonly string[], working_dir: string = process.cwd()): Prices {
  const prices: Prices = { providers: new Map(), files: new Map(), site: EMPTY_SITE, site_file: undefined, faults: [] }
  for (const folder of folders) {
    for (const path of tomlFiles(folder, prices.faults)) {
      const file = shownPath(path, working_dir)
      if (basename(path) === SITE) readSite(path, file, prices)
      else readPriceFile(path, file, prices)
    }
  }
  return prices
}

function tomlFiles(folder: string, faults: Fault[]): string[] {
  if (!existsSync(folder)) {
    faults.push({
      file: folder,
      place: '',
      problem: 'there is no such folder',
      remedy: 'make it, or correct PRICING_DIR',
    })
    return []
  }
  return readdirSync(folder)
    .filter((name) => name.endsWith('.toml') && !/^[._]/.test(name))
    .sort()
    .map((name) => join(folder, name))
}

/** Relative where that is shorter: what a person would type. */
export function shownPath(path: string, working_dir: string = process.cwd()): string {
  const short = relative(working_dir, path)
  return short.startsWith('..') ? path : short
}

function readSite(path: string, file: string, prices: Prices): void {
  const site = readToml(path, file, siteSchema, prices.faults)
  if (!site) return
  prices.site = site
  prices.site_file = file
}

function readPriceFile(path: string, file: string, prices: Prices): void {
  const provider = basename(path, '.toml')
  prices.files.set(provider, file)
  const models = prices.providers.get(provider) ?? new Map<string, PricedModel>()
  prices.providers.set(provider, models)
  const content = readToml(path, file, priceFileSchema, prices.faults)
  if (!content) return
  prices.faults.push(...contentFaults(file, content))
  const { source, checked, vendor } = content
  for (const [name, entry] of Object.entries(content.models)) {
    models.set(name, { ...entry, name, source, checked, vendor, file })
  }
}

function contentFaults(file: string, { models }: PriceFile): Fault[] {
  return Object.entries(models).flatMap(([name, { prices, operation, upstream }]) => {
    const place = `models."${name}"`
    const rates = prices.flatMap(({ rates }, index) =>
      rateFaults(rates, operation).map((fault) => ({
        ...fault,
        file,
        place: `${place}.prices[${index}].${fault.place}`,
      })),
    )
    const order = prices.flatMap(({ from }, index) => {
      const before = prices[index - 1]
      if (!before || before.from < from) return []
      const problem = `${from} does not come after ${before.from}`
      return [
        { file, place: `${place}.prices[${index}].from`, problem, remedy: 'put the blocks in order of their dates' },
      ]
    })
    return [...rates, ...order, ...wildcardFaults(file, place, name, upstream)]
  })
}

function wildcardFaults(file: string, place: string, name: string, upstream: string): Fault[] {
  if (name.endsWith('/*') === upstream.includes('*')) return []
  const problem = `"${name}" and its upstream "${upstream}" must both have a *, or neither`
  return [
    { file, place: `${place}.upstream`, problem, remedy: 'the * of the upstream stands for what the caller names' },
  ]
}

function readToml<T>(path: string, file: string, schema: z.ZodType<T>, faults: Fault[]): T | undefined {
  try {
    const parsed = schema.safeParse(parse(readFileSync(path, 'utf8')), { reportInput: true })
    if (parsed.success) return parsed.data
    faults.push(...schemaFaults(file, schema, parsed.error))
  } catch (error) {
    if (error instanceof TomlError) {
      const problem = error.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '') ?? 'is not TOML'
      faults.push({ file, place: `line ${error.line}`, problem, remedy: 'correct the TOML' })
    } else {
      const problem = error instanceof Error ? error.message : String(error)
      faults.push({ file, place: '', problem, remedy: 'make it a file that can be read' })
    }
  }
  return undefined
}
