// docs/faults.md against the tests: every test that it names is there, and no fault of the list is left out.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const page = readFileSync(join(ROOT, 'docs/faults.md'), 'utf8')
const rows = page.split('\n').filter((line) => /^\| F\d/.test(line))

/** File and name of each test that a row calls its proof. */
const proofs = rows.flatMap((row) =>
  [...row.matchAll(/`(test\/[\w./]+\.ts)`(?:: ([^|]+?))?(?=; `test|\. [A-Z]| \|)/g)].map(([, file = '', name]) => ({
    file,
    name,
  })),
)

describe('the table of faults', () => {
  it('has a line for each of the 37', () => {
    const numbers = rows.flatMap((row) => {
      const [, first = '', last = first] = /^\| F(\d+)(?:–F(\d+))?/.exec(row) ?? []
      return Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => Number(first) + index)
    })
    expect(numbers).toEqual(Array.from({ length: 37 }, (_, index) => index + 1))
  })

  it('names a test or a reason in each line', () => {
    expect(rows.filter((row) => !row.includes('`test/') && !row.includes('not '))).toEqual([])
  })

  it.each(proofs)('names what is in $file: $name', ({ file, name }) => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    if (name !== undefined) expect(text.replaceAll("\\'", "'")).toContain(name)
  })
})
