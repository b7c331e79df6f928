// The rules of docs/architecture.md that a machine can check, read off the source as text. It never runs what it checks.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')

interface Layer {
  name: string
  /** A file, or a folder when it ends in a slash. The first layer that matches a file is the file's. */
  at: string
  /** The other layers it may import. */
  may: string[]
  instead: string
}

const PURE = 'It is pure: hand it what it needs as an argument'

const LAYERS: Layer[] = [
  { name: 'main', at: 'src/main.ts', may: ['*'], instead: '' },
  { name: 'main', at: 'src/start.ts', may: ['*'], instead: '' },
  { name: 'main', at: 'src/greeting.ts', may: ['*'], instead: '' },
  {
    name: 'app',
    at: 'src/app.ts',
    may: ['routes', 'http', 'flow', 'contract', 'config'],
    instead: 'Main builds the parts',
  },
  { name: 'contract', at: 'src/contract.ts', may: [], instead: 'What adapters see stands in the contract itself' },
  { name: 'config', at: 'src/config.ts', may: [], instead: 'Config only reads the environment' },
  { name: 'money', at: 'src/ledger/money.ts', may: [], instead: PURE },
  { name: 'pricing', at: 'src/pricing/', may: ['contract', 'money'], instead: PURE },
  {
    name: 'protocols',
    at: 'src/protocols/',
    may: ['contract'],
    instead: 'A protocol translates a wire format, no more',
  },
  {
    name: 'embedded',
    at: 'src/store/embedded/',
    may: [],
    instead: 'It is a server like MongoDB and knows nothing of ours',
  },
  { name: 'store', at: 'src/store/', may: ['contract', 'embedded'], instead: 'Rules belong in ledger or flow' },
  {
    name: 'ledger',
    at: 'src/ledger/',
    may: ['store', 'money', 'pricing', 'contract'],
    instead: 'Flow calls the ledger',
  },
  { name: 'media', at: 'src/media/', may: ['contract'], instead: 'Flow hands media what it needs' },
  {
    name: 'registry',
    at: 'src/registry.ts',
    may: ['contract', 'pricing', 'config'],
    instead: 'Flow reads the registry',
  },
  {
    name: 'registry',
    at: 'src/registry/',
    may: ['contract', 'pricing'],
    instead: 'Flow reads the registry',
  },
  {
    name: 'doctor',
    at: 'src/doctor.ts',
    may: ['registry', 'contract', 'pricing', 'config'],
    instead: 'The doctor looks at files alone and never opens the store',
  },
  {
    name: 'flow',
    at: 'src/flow/',
    may: ['registry', 'ledger', 'money', 'pricing', 'media', 'store', 'protocols', 'contract', 'config'],
    instead: 'A job knows nothing of HTTP: return values, and let the route answer',
  },
  { name: 'http', at: 'src/http/', may: ['flow', 'protocols', 'money', 'contract'], instead: 'Ask flow' },
  {
    name: 'routes',
    at: 'src/routes/',
    may: ['flow', 'http', 'protocols', 'money', 'contract'],
    instead: 'Put it into flow and call that',
  },
  {
    name: 'providers',
    at: 'providers/',
    may: ['contract', 'protocols'],
    instead: 'An adapter knows its provider and the contract',
  },
]

interface PackageRule {
  packages: string[]
  only: string[]
  why: string
}

const PACKAGES: PackageRule[] = [
  { packages: ['koa', '@koa/router'], only: ['http', 'routes', 'app', 'main'], why: 'only the HTTP layers see Koa' },
  {
    packages: ['mongoose', 'mongodb'],
    only: ['store', 'ledger', 'main'],
    why: 'only store and ledger see the driver; add a named query',
  },
]

/** Files whose functions must give the same answer for the same arguments: no built-in module, so no file, clock or socket. */
const PURE_FILES = ['src/pricing/cost.ts', 'src/ledger/money.ts']

const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'fixtures', 'results', 'data'])

/** The TypeScript and JavaScript files under a folder of ours, as paths from the root; none if the folder is not there. */
function sources(folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) ? [] : sources(path)
    return /\.(ts|tsx|mjs|js)$/.test(entry.name) ? [path] : []
  })
}

const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** What a file imports, in any of the three ways; a path of ours is given from the root. */
function importsOf(file: string): string[] {
  const statements = [
    /^(?:import|export)\s[^'"`;]*?\bfrom\s+['"]([^'"]+)['"]/gm,
    /^import\s+['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g,
  ]
  const code = read(file)
  return statements
    .flatMap((statement) => [...code.matchAll(statement)].map((match) => match[1] ?? ''))
    .map((name) => (name.startsWith('.') ? relative(root, join(root, dirname(file), name)) : name))
}

const layerOf = (file: string) => LAYERS.find(({ at }) => (at.endsWith('/') ? file.startsWith(at) : file === at))

/** The package of an import: `@koa/router/sub` is `@koa/router`. */
const packageOf = (name: string) => name.split('/', name.startsWith('@') ? 2 : 1).join('/')

const isOurs = (name: string) => /\.(ts|tsx|mjs|js|json)$/.test(name) && existsSync(join(root, name))

const product = [...sources('src'), ...sources('providers')]
const everything = ['src', 'providers', 'scripts', 'bench', 'test', 'console'].flatMap(sources)

function importFaults(file: string): string[] {
  const layer = layerOf(file)
  if (!layer)
    return [
      `${file} is in no layer: add its folder to LAYERS in test/architecture.test.ts, and to docs/architecture.md`,
    ]
  if (layer.may.includes('*')) return []
  return importsOf(file)
    .filter(isOurs)
    .flatMap((target) => {
      const other = layerOf(target)
      if (other?.name === layer.name) return []
      if (other && layer.may.includes(other.name)) return []
      const allowed = layer.may.join(', ') || 'nothing of ours'
      return [`${file} imports ${target}: ${layer.name} may import ${allowed}. ${layer.instead}.`]
    })
}

function adapterFaults(file: string): string[] {
  const adapter = file.split('/').slice(0, 2).join('/')
  return importsOf(file)
    .filter((target) => target.startsWith('providers/') && !target.startsWith(adapter))
    .map((target) => `${file} imports ${target}: an adapter never imports another; share a protocol instead`)
}

describe('imports point one way', () => {
  it.each(LAYERS.map((layer) => [layer.name, layer] as const))('%s imports only what it may', (_, layer) => {
    expect(product.filter((file) => layerOf(file) === layer).flatMap(importFaults)).toEqual([])
  })

  it('puts every file in a layer', () => {
    expect(product.filter((file) => !layerOf(file)).flatMap(importFaults)).toEqual([])
  })

  it('keeps adapters apart', () => {
    expect(sources('providers').flatMap(adapterFaults)).toEqual([])
  })

  it('lets nobody import main', () => {
    const importers = everything.filter((file) => importsOf(file).includes('src/main.ts'))
    expect(
      importers.map((file) => `${file} imports src/main.ts, which starts a router: import the part you need`),
    ).toEqual([])
  })

  it.each(PACKAGES)('$why', ({ packages, only, why }) => {
    const faults = product.flatMap((file) =>
      importsOf(file)
        .filter((name) => packages.includes(packageOf(name)) && !only.includes(layerOf(file)?.name ?? ''))
        .map((name) => `${file} imports ${name}: ${why}`),
    )
    expect(faults).toEqual([])
  })

  it('keeps cost and money pure', () => {
    const faults = PURE_FILES.filter((file) => existsSync(join(root, file))).flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith('node:'))
        .map((name) => `${file} imports ${name}: ${PURE}`),
    )
    expect(faults).toEqual([])
  })

  it('lets the console know nothing but the HTTP API', () => {
    const faults = sources('console').flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith('src/') || name.startsWith('providers/'))
        .map((name) => `${file} imports ${name}: the console speaks only the HTTP API`),
    )
    expect(faults).toEqual([])
  })
})

describe('habits', () => {
  it('reads the environment in src/config.ts alone', () => {
    const readers = product.filter(
      (file) => file !== 'src/config.ts' && /\bprocess\.env\b/.test(withoutComments(read(file))),
    )
    expect(
      readers.map((file) => `${file} reads process.env: add the setting to src/config.ts and pass its value`),
    ).toEqual([])
  })

  it('has default exports in adapters and configuration files alone', () => {
    const exporters = everything.filter(
      (file) =>
        !/(^|\/)providers\//.test(file) &&
        !/\.config\.(ts|js|mjs)$/.test(file) &&
        /^export (default\b|\{ default)/m.test(read(file)),
    )
    expect(exporters.map((file) => `${file} has a default export: give it a name`)).toEqual([])
  })

  it('has no barrels', () => {
    const barrels = product.filter((file) => /^export \* /m.test(read(file)))
    expect(barrels.map((file) => `${file} exports everything of another file: import from where a thing is`)).toEqual(
      [],
    )
  })

  it('names every file after what it does', () => {
    const vague = everything.filter((file) => /^(utils?|helpers?|common|misc|shared)\b/i.test(basename(file)))
    expect(vague.map((file) => `${file}: say in the name what it does`)).toEqual([])
  })

  it('opens every file with a sentence that says what it is', () => {
    const silent = everything.filter(
      (file) => !/^(\/\/ .|\/\*\*? ?\n? ?\*? ?\S)[\s\S]*?\./.test(read(file).replace(/^#!.*\n/, '')),
    )
    expect(silent.map((file) => `${file}: open it with a comment that says what it is and what it never does`)).toEqual(
      [],
    )
  })
})

interface LockEntry {
  resolved?: string
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

describe('the lockfile', () => {
  const packages = (JSON.parse(read('package-lock.json')) as { packages: Record<string, LockEntry> }).packages

  it('names no host, so that it works with every registry', () => {
    const resolved = Object.entries(packages).filter(([, entry]) => entry.resolved !== undefined)
    expect(resolved.map(([path]) => `${path} has "resolved": install with the .npmrc of this folder`)).toEqual([])
  })

  it('has the packages of every platform, so that npm ci takes it everywhere', () => {
    const missing = Object.entries(packages).flatMap(([path, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
        .filter((name) => !foldersAbove(path).some((folder) => packages[`${folder}node_modules/${name}`]))
        .map((name) => `${path || 'package.json'} needs ${name}, which the lockfile lacks: npm ci will refuse it`),
    )
    expect(missing).toEqual([])
  })
})

/** Where Node looks for a package needed at `node_modules/a/node_modules/b`: there, then each folder above. */
function foldersAbove(path: string): string[] {
  const parts = path === '' ? [] : path.split('/node_modules/').map((part) => part.replace(/^node_modules\//, ''))
  return Array.from({ length: parts.length + 1 }, (_, depth) =>
    parts
      .slice(0, parts.length - depth)
      .map((part) => `node_modules/${part}/`)
      .join(''),
  )
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
}
