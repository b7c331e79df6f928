// Every provider in providers/ keeps to the contract. Its fixtures are test/fixtures/<id>.ts, or, where it speaks OpenAI's
// chat format and has none of its own, those of OpenAI's API. The sandbox, which calls nobody, has its own tests.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ProviderDefinition } from '../../src/contract.ts'
import { makeProviderFetch } from '../../src/protocols/transport.ts'
import { fixtures as compatible } from '../fixtures/openai-compatible.ts'
import { describeProvider, type Fixtures } from './conformance.ts'

const root = join(import.meta.dirname, '..', '..')
const folder = join(root, 'providers')

for (const name of readdirSync(folder)) {
  const file = name.endsWith('.ts') ? join(folder, name) : join(folder, name, 'index.ts')
  const id = name.replace(/\.ts$/, '')
  if (id === 'sandbox' || id.startsWith('_') || !existsSync(file)) continue
  const definition: ProviderDefinition = (await import(pathToFileURL(file).href)).default
  describeProvider(id, definition, await fixturesOf(id, definition))
}

async function fixturesOf(id: string, definition: ProviderDefinition): Promise<Fixtures> {
  const own = join(root, 'test', 'fixtures', `${id}.ts`)
  if (existsSync(own)) return (await import(pathToFileURL(own).href)).fixtures
  return speaksOpenai(definition) ? compatible : {}
}

function speaksOpenai(definition: ProviderDefinition): boolean {
  const values = Object.keys(definition.settings.shape).map((name) => [
    name,
    name.includes('url') ? 'http://127.0.0.1:9/v1' : 'x',
  ])
  const settings = definition.settings.safeParse(Object.fromEntries(values))
  if (!settings.success) return false
  const fetch = makeProviderFetch({ provider: definition.name })
  return definition.connect(settings.data, { fetch }).chat?.[0]?.protocol === 'openai-chat'
}
