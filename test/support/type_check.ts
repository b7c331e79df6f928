// Holds JSON against the types of a vendor's SDK, with the compiler: each value becomes a type of its own, which must be
// assignable to the SDK's. More fields than the SDK knows are allowed; missing and wrong ones are not.
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const HOME = join(import.meta.dirname, '..', '..')

export interface Typed {
  /** As TypeScript: 'OpenAI.ChatCompletion'. */
  type: string
  value: unknown
  /** For the report. */
  from: string
}

/** Base64 and vectors say nothing more by being long, and would make the compiler slow. */
const TEXT_MAX = 300
const LIST_MAX = 6

/** What the compiler has against the values, each with where it came from; none where all is well. */
export async function typeFaults(head: string, values: Typed[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-types-'))
  try {
    const lines = values.map(
      ({ type, value }, index) =>
        `export const c${index}: ${type} = null! as ${JSON.stringify(value, shortened).replaceAll('\n', ' ')}`,
    )
    const begin = head.split('\n').length
    await writeFile(join(folder, 'answers.ts'), `${head}\n${lines.join('\n')}\n`)
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config()))
    const told = await compile(folder)
    return told.split('\n').flatMap((line) => {
      const place = /^answers\.ts\((\d+),/.exec(line)
      const from = place ? values[Number(place[1]) - begin - 1]?.from : undefined
      return line.trim() === '' ? [] : [from === undefined ? line : `${from}: ${line}`]
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function shortened(_name: string, value: unknown): unknown {
  if (typeof value === 'string') return value.slice(0, TEXT_MAX)
  return Array.isArray(value) ? value.slice(0, LIST_MAX) : value
}

const config = () => ({
  compilerOptions: {
    target: 'esnext',
    module: 'nodenext',
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    paths: {
      openai: [join(HOME, 'node_modules/openai/index.d.ts')],
      '@anthropic-ai/sdk': [join(HOME, 'node_modules/@anthropic-ai/sdk/index.d.ts')],
    },
  },
  files: ['answers.ts'],
})

function compile(folder: string): Promise<string> {
  const tsc = join(HOME, 'node_modules/typescript/bin/tsc')
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [tsc, '-p', '.', '--pretty', 'false'],
      { cwd: folder, timeout: 60_000 },
      (error, out, err) => resolve(error && out === '' ? `${error.message}\n${err}` : out),
    )
  })
}
