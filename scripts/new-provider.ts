// `npm run new-provider acme`: writes an adapter, its price file and its fixture, and says what to do next. It changes no
// file that exists.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const ID = /^[a-z][a-z0-9-]*$/

const [id, ...rest] = process.argv.slice(2)
if (!id || rest.length > 0) refuse('Say one name: npm run new-provider acme')
if (!ID.test(id)) refuse(`"${id}" cannot be a provider's name: lower-case letters, digits and dashes, a letter first.`)

const name = id
  .split('-')
  .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  .join(' ')
const variable = id.toUpperCase().replaceAll('-', '_')
const today = new Date().toISOString().slice(0, 10)

const files = {
  [`providers/${id}.ts`]: adapter(),
  [`pricing/${id}.toml`]: prices(),
  [`test/fixtures/${id}.ts`]: fixture(),
}
const taken = [...Object.keys(files), `providers/${id}/index.ts`].filter((path) => existsSync(path))
if (taken.length > 0) refuse(`${taken.join(' and ')} exists already: choose another name, or edit it.`)

for (const [path, text] of Object.entries(files)) {
  mkdirSync(dirname(join('.', path)), { recursive: true })
  writeFileSync(path, text, { flag: 'wx' })
  console.log(`wrote ${path}`)
}
console.log(`
Next:
  1. providers/${id}.ts     where ${name} is, and which operations it has (src/contract.ts says what else there is)
  2. pricing/${id}.toml     its models and prices, and where you read them
  3. test/fixtures/${id}.ts true answers of ${name}, for the conformance suite
  4. ${variable}_API_KEY=… in .env, then: npm run doctor && npm test -- conformance`)

function refuse(message: string): never {
  console.error(message)
  process.exit(1)
}

function lines(...text: string[]): string {
  return `${text.join('\n')}\n`
}

function adapter(): string {
  const settings = `api_key: z.string().min(1), base_url: z.url().default('https://api.${id}.example/v1')`
  return lines(
    `// ${name}: say in one sentence what it serves. https://${id}.example/docs (${today})`,
    "import { z } from 'zod'",
    "import { defineProvider } from '../src/contract.ts'",
    "import { openaiCompatible } from '../src/protocols/openai-compatible.ts'",
    '',
    'export default defineProvider({',
    '  contract: 1,',
    `  name: '${name}',`,
    `  docs: 'https://${id}.example/docs',`,
    `  settings: z.object({ ${settings} }),`,
    '  connect: ({ api_key, base_url }, { fetch }) =>',
    `    openaiCompatible({ provider: '${name}', base_url, api_key, fetch }, ['chat']),`,
    '})',
  )
}

function prices(): string {
  const model = `models."${id}/model-1"`
  return `# ${name}: put the vendor's own figures here, and the day on which you read them.
source = "https://${id}.example/pricing"
checked = ${today}

[${model}]
upstream = "model-1"
operation = "chat"
limits = { context = 128_000, max_output_tokens = 16_384, default_max_tokens = 4096 }
[[${model}.prices]]
from = ${today}
rates = [
  { meter = "input_tokens", usd = "1.00", per = 1_000_000 },
  { meter = "output_tokens", usd = "4.00", per = 1_000_000 },
]
`
}

function fixture(): string {
  return `// Answers of ${name} for the conformance suite. Put true ones here: a form made up by us proves nothing.
import type { Fixtures } from '../providers/conformance.ts'
import { sse } from '../providers/stub.ts'

const chunk = (members: object) => \`data: \${JSON.stringify({ id: 'chatcmpl-1', model: 'model-1', ...members })}\\n\\n\`
const piece = (delta: object, finish_reason: string | null = null) =>
  chunk({ choices: [{ index: 0, delta, finish_reason }] })

const STREAM = [
  piece({ role: 'assistant', content: '' }),
  piece({ content: 'Hello' }),
  piece({ content: ' there' }),
  piece({}, 'stop'),
  chunk({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 } }),
  'data: [DONE]\\n\\n',
].join('')

export const fixtures: Fixtures = { chat: { answer: sse(STREAM), text: 'Hello there' } }
`
}
