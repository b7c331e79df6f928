// What the source itself must not have in it, and the page of security cases, which is held to the tests that it names.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const HOME = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(HOME, path), 'utf8')
const filesOf = (folder: string): string[] =>
  readdirSync(join(HOME, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))

describe('the source', () => {
  const NEVER: [what: string, pattern: RegExp][] = [
    ['runs text as code', /\beval\s*\(|\bnew Function\b|node:vm['"]/],
    ['starts a program', /child_process/],
    ['sends a browser elsewhere', /\.redirect\(|['"]location['"]\s*[,:](?! `\/v1\/)/i],
    ['takes a pattern from outside', /new RegExp\((?!\s*[`'"/A-Z])|\$regex/],
    ['has a look-up in the store run code', /\$where|\$function|\$accumulator|mapReduce/],
  ]

  it.each(NEVER)('never %s', (_what, pattern) => {
    // The embedded store knows MongoDB's operators; what matters is that nobody asks it with them.
    const files = [...filesOf('src'), ...filesOf('providers')].filter((path) => !path.startsWith('src/store/embedded/'))
    const found = files.filter((path) => pattern.test(read(path)))
    expect(found).toEqual([])
  })
})

describe('the packages', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>
  interface Locked {
    integrity?: string
    link?: boolean
    dev?: boolean
    optional?: boolean
  }
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }

  it('are pinned to one version each', () => {
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    )
    expect(loose).toEqual([])
  })

  it('are the very ones of the lockfile, by their hash', () => {
    // The formatter's binaries for systems other than the one that the lockfile was made on are for development alone.
    const unsure = Object.entries(packages).filter(
      ([path, { integrity, link, dev, optional }]) => path !== '' && !link && !integrity && !(dev && optional),
    )
    expect(unsure.map(([path]) => path)).toEqual([])
    for (const [path, { integrity }] of Object.entries(packages))
      if (integrity) expect([path, integrity]).toEqual([path, expect.stringMatching(/^sha512-/)])
  })

  it('are installed as the lockfile has them', () => {
    expect(read('scripts/launcher/install.mjs')).toContain(
      "existsSync(join(root, 'package-lock.json')) ? 'ci' : 'install'",
    )
  })
})

describe('docs/security.md', () => {
  const rows = [...read('docs/security.md').matchAll(/^\| (\d+) \| (.+) \| (.+) \| (.+) \|$/gm)]

  it('has every case once, with what the router does, and a test or the reason why there is none', () => {
    expect(rows.map(([, number]) => Number(number))).toEqual(Array.from({ length: 54 }, (_, at) => at + 1))
    for (const [, number, , , proof = ''] of rows)
      expect([number, proof]).toEqual([number, expect.stringMatching(/`test\/|^Not here: /)])
  })

  it('names tests that there are', () => {
    const named = [...read('docs/security.md').matchAll(/`(test\/[\w./-]+\.test\.ts)`:? “([^”]+)”((?:, “[^”]+”)*)/g)]
    expect(named.length).toBeGreaterThan(50)
    for (const [, file = '', first = '', more = ''] of named) {
      expect([file, existsSync(join(HOME, file))]).toEqual([file, true])
      const source = read(file)
      for (const name of [first, ...[...more.matchAll(/“([^”]+)”/g)].map(([, each = '']) => each)])
        expect([file, name, source.includes(name)]).toEqual([file, name, true])
    }
  })
})
