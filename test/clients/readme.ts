// The set-ups that README.md shows, read from it: what the tests run is what people copy. It changes nothing of them but
// the address and the key.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const README = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8')

/** The code block whose first line names this file (or tool), without that line. */
export function setup(name: string, url: string, key: string): string {
  for (const [, block = ''] of README.matchAll(/^```\w*\n(.*?)^```$/gms)) {
    const [first = '', ...rest] = block.split('\n')
    if (!first.endsWith(name)) continue
    return rest.join('\n').replaceAll('http://127.0.0.1:8080', url).replaceAll('$SWITCHYARD_KEY', key)
  }
  throw new Error(`README.md has no block that begins with ${name}`)
}

/** The `export NAME=value` lines of a block. */
export function environmentOf(block: string): Record<string, string> {
  const lines = [...block.matchAll(/^export (\w+)=(\S*)/gm)]
  return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]))
}
