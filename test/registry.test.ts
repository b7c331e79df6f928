// The registry: adapters and price files dropped into folders, what they become, and how a caller's name finds them.
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Tools } from '../src/contract.ts'
import { cost } from '../src/pricing/cost.ts'
import { faultLine } from '../src/pricing/fault.ts'
import { buildRegistry, lookUp, type Registry, RegistryFaults, type RegistryOptions } from '../src/registry.ts'

const HOME = join(import.meta.dirname, '..')
const NOW = new Date('2026-11-21T12:00:00Z')
let root: string
let sites = 0
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'switchyard-registry-'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** A folder with `providers/` and `pricing/`, as one beside the shipped ones would be. */
function siteWith(files: Record<string, string>): string {
  const site = join(root, `${sites++}`)
  for (const folder of ['providers', 'pricing']) mkdirSync(join(site, folder), { recursive: true })
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(site, name)), { recursive: true })
    writeFileSync(join(site, name), text)
  }
  return site
}

function optionsOf(site: string, environment: Record<string, string> = {}): RegistryOptions {
  return {
    provider_dirs: [join(site, 'providers')],
    pricing_dirs: [join(site, 'pricing')],
    environment,
    sandbox: true,
    now: NOW,
    makeTools: (provider) => ({ provider }) as unknown as Tools,
  }
}
const build = (files: Record<string, string>, environment?: Record<string, string>) =>
  buildRegistry(optionsOf(siteWith(files), environment))

/** The faults that keep a registry from being built, as lines without the folder's name. */
async function faultsOf(files: Record<string, string>, environment?: Record<string, string>): Promise<string[]> {
  const site = siteWith(files)
  const error = await buildRegistry(optionsOf(site, environment)).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof RegistryFaults) return error.faults.map((fault) => faultLine(fault).replaceAll(`${site}/`, ''))
  throw error ?? new Error('The registry was built.')
}

/** An adapter whose chat connection shows what `connect` was given. */
const adapter = (changes: { settings?: string; connection?: string; more?: string } = {}) => `
import { z } from '${HOME}/node_modules/zod/index.js'
const generator = { start: async () => { throw new Error('never called here') } }
const acme = {
  contract: 1, name: 'Acme', docs: 'https://acme.example',
  settings: z.object({ ${changes.settings ?? ''} }),
  connect: (settings, tools) => {
    const chat = [{ stream: async function* () {}, given: { settings, tools } }]
    return ${changes.connection ?? '{ chat, video: generator }'}
  },
  ${changes.more ?? ''}
}
export { acme as default }
`
const HEAD = 'source = "https://acme.example/pricing"\nchecked = 2026-11-20\n'
const chat = (model: string, usd = '1', upstream = model, from = '2026-11-01') => `
[models."${model}"]
upstream = "${upstream}"
operation = "chat"
[[models."${model}".prices]]
from = ${from}
rates = [{ meter = "input_tokens", usd = "${usd}", per = 1_000_000 }, { meter = "output_tokens", usd = "${usd}", per = 1_000_000 }]
`
const film = (model: string) => `
[models."${model}"]
upstream = "film"
operation = "video"
[[models."${model}".prices]]
from = 2026-11-01
rates = [{ meter = "video_seconds", usd = "0.15" }]
`
const prices = (...models: string[]) => HEAD + models.join('')

describe('discovery', () => {
  it('finds files and folders by their names, and passes over tests, types and what begins with _', async () => {
    const { providers } = await build({
      'providers/acme.ts': adapter(),
      'providers/beta-2/index.ts': adapter(),
      'providers/beta-2/other.ts': 'throw new Error("must not be loaded")',
      'providers/_draft.ts': 'throw new Error("must not be loaded")',
      'providers/acme.test.ts': 'throw new Error("must not be loaded")',
      'providers/notes/readme.md': 'not an adapter',
      'pricing/acme.toml': prices(chat('acme/one')),
      'pricing/beta-2.toml': prices(chat('beta/two'), film('beta/film')),
    })
    expect(providers).toEqual([
      { id: 'acme', name: 'Acme', docs: 'https://acme.example', status: 'on', operations: ['chat'], models: 1 },
      {
        id: 'beta-2',
        name: 'Acme',
        docs: 'https://acme.example',
        status: 'on',
        operations: ['chat', 'video'],
        models: 2,
      },
    ])
  })

  it('loads an adapter anew when its file has changed', async () => {
    const site = siteWith({ 'providers/acme.ts': adapter(), 'pricing/acme.toml': prices(chat('acme/one')) })
    const before = await buildRegistry(optionsOf(site))
    const file = join(site, 'providers/acme.ts')
    writeFileSync(file, adapter().replace("name: 'Acme'", "name: 'Acme the second'"))
    utimesSync(file, NOW, new Date(NOW.getTime() + 1000))
    const after = await buildRegistry({ ...optionsOf(site), revision: 2 })
    expect([before.providers[0]?.name, after.providers[0]?.name]).toEqual(['Acme', 'Acme the second'])
    expect([before.revision, after.revision]).toEqual([1, 2])
  })

  it('lets an adapter of a later folder take the place of one before it, and says so', async () => {
    const first = siteWith({ 'providers/acme.ts': adapter(), 'pricing/acme.toml': prices(chat('acme/one')) })
    const second = siteWith({ 'providers/acme.ts': adapter().replace("'Acme'", "'Mine'") })
    const { providers, warnings } = await buildRegistry({
      ...optionsOf(first),
      provider_dirs: [join(first, 'providers'), join(second, 'providers')],
    })
    expect(providers.map(({ name }) => name)).toEqual(['Mine'])
    expect(warnings.map(({ problem }) => problem)).toEqual([`takes the place of ${join(first, 'providers/acme.ts')}`])
  })

  it('collects every fault of every file, each with its place and remedy', async () => {
    const faults = await faultsOf({
      'providers/acme.ts': adapter({ connection: '{ vidoe: generator }' }),
      'providers/broken.ts': 'import "./nowhere.ts"',
      'providers/Capital.ts': adapter(),
      'providers/empty.ts': 'export const nothing = 1',
      'providers/old.ts': adapter()
        .replace('contract: 1', 'contract: 0')
        .replace("docs: 'https://acme.example'", "docs: ''"),
      'providers/twice.ts': adapter(),
      'providers/twice/index.ts': adapter(),
      'providers/upset.ts': adapter({ more: 'connect: () => { throw new Error("no luck") },' }),
      'pricing/acme.toml': prices(chat('acme/one')),
      'pricing/stranger.toml': prices(chat('stranger/one')),
      'pricing/twice.toml': 'checked = 2026-11-20\n',
    })
    expect(faults.sort()).toEqual([
      expect.stringMatching(
        /^pricing\/stranger\.toml: there is no provider "stranger"; name the file after its adapter/,
      ),
      'pricing/twice.toml source: is missing; add it',
      'providers/Capital.ts: "Capital" cannot be the id of a provider; rename it: lower case letters, digits and dashes, beginning with a letter',
      'providers/acme.ts connect().vidoe: "vidoe" is not an operation; did you mean "video"?',
      expect.stringMatching(/^providers\/broken\.ts: could not be loaded: .*nowhere\.ts.*; correct the adapter$/),
      expect.stringMatching(
        /^providers\/empty\.ts export default: there is no default export of a provider; export default defineProvider/,
      ),
      expect.stringMatching(
        /^providers\/old\.ts export default: contract must be 1, .*, docs must not be empty; export default/,
      ),
      expect.stringMatching(
        /^providers\/twice(\/index)?\.ts: providers\/twice(\/index)?\.ts is the provider "twice" already; rename or remove/,
      ),
      'providers/upset.ts connect: connect failed: no luck; correct the adapter or its settings',
    ])
  })

  it('refuses a model whose operation its provider cannot do', async () => {
    const files = {
      'providers/acme.ts': adapter({ connection: '{ chat }' }),
      'pricing/acme.toml': prices(film('acme/film')),
    }
    expect(await faultsOf(files)).toEqual([
      'pricing/acme.toml models."acme/film".operation: the provider "acme" does no video; it does chat',
    ])
  })

  it('warns of prices that are stale, missing or not yet valid, and of names that nobody offers', async () => {
    const site = siteWith({
      'providers/acme.ts': adapter(),
      'providers/bare.ts': adapter(),
      'providers/hollow.ts': adapter(),
      'pricing/acme.toml': prices(chat('acme/one'), chat('acme/next', '1', 'next', '2027-01-01')).replace(
        '2026-11-20',
        '2026-10-01',
      ),
      'pricing/hollow.toml': HEAD,
      'pricing/site.toml': '[models."acme/won"]\nmargin = "0.1"\n',
    })
    const { warnings } = await buildRegistry(optionsOf(site))
    expect(warnings.map((warning) => faultLine(warning).replaceAll(`${site}/`, ''))).toEqual([
      'pricing/bare.toml: the provider "bare" has no price file; a model is served only if it is priced: add its models',
      'pricing/hollow.toml models: there is no model; a model is served only if it is priced: add its models',
      'pricing/acme.toml checked: the prices were checked 51 days ago; compare them with https://acme.example/pricing and set the date',
      'pricing/acme.toml models."acme/next".prices[0].from: has no price before 2027-01-01; until then the model is not served',
      'pricing/site.toml models."acme/won": no price file has this model; correct the name',
    ])
  })
})

describe('settings', () => {
  const SETTINGS = "api_key: z.string().min(1), base_url: z.url().default('https://acme.example/v1')"
  const withSettings = (more = '') => ({
    'providers/acme-two.ts': adapter({ settings: SETTINGS, more }),
    'pricing/acme-two.toml': prices(chat('acme/one')),
  })
  const given = (registry: Registry) => Reflect.get(registry.connection('acme-two')?.chat?.[0] ?? {}, 'given')

  it('come from <ID>_* variables, with dashes as underscores', async () => {
    const registry = await build(withSettings(), { ACME_TWO_API_KEY: 'secret', ACME_TWO_OTHER: 'ignored' })
    expect(given(registry)).toEqual({
      settings: { api_key: 'secret', base_url: 'https://acme.example/v1' },
      tools: { provider: 'acme-two' },
    })
    expect([...registry.offers.keys()]).toEqual(['acme/one'])
  })

  it('turn a provider off when a required one is absent or empty, and its models with it', async () => {
    for (const environment of [{}, { ACME_TWO_API_KEY: '' }]) {
      const registry = await build(withSettings(), environment)
      expect(registry.providers[0]).toMatchObject({ status: 'off', reason: 'ACME_TWO_API_KEY is not set', models: 1 })
      expect(registry.offers.size).toBe(0)
      expect(registry.connection('acme-two')).toBeUndefined()
    }
  })

  it('may have the name that the vendor gave them, after our own', async () => {
    const files = withSettings("environment: { api_key: 'ACME_TOKEN' },")
    expect(given(await build(files, { ACME_TOKEN: 'theirs' })).settings.api_key).toBe('theirs')
    expect(given(await build(files, { ACME_TOKEN: 'theirs', ACME_TWO_API_KEY: 'ours' })).settings.api_key).toBe('ours')
    expect((await build(files)).providers[0]?.reason).toBe('ACME_TOKEN is not set')
  })

  it('may stand in a file', async () => {
    const path = join(siteWith({ secret: 'from a file\n' }), 'secret')
    expect(given(await build(withSettings(), { ACME_TWO_API_KEY_FILE: path })).settings.api_key).toBe('from a file')
    expect(await faultsOf(withSettings(), { ACME_TWO_API_KEY_FILE: '/nowhere/secret' })).toEqual([
      'environment ACME_TWO_API_KEY_FILE: the file /nowhere/secret cannot be read; correct the path or the rights of the file',
    ])
  })

  it('are a fault when malformed, told without their value', async () => {
    const environment = { ACME_TWO_API_KEY: 'secret', ACME_TWO_BASE_URL: 'not-an-address' }
    const faults = await faultsOf(withSettings(), environment)
    expect(faults).toEqual([
      'environment ACME_TWO_BASE_URL: Invalid URL; correct it; providers/acme-two.ts says what it takes',
    ])
  })

  it('are a fault with a line break in them, which would come out in the error of a header', async () => {
    const environment = { ACME_TWO_API_KEY: 'sk-secret\r\nhost: evil', ACME_TWO_BASE_URL: 'https://acme.example' }
    expect(await faultsOf(withSettings(), environment)).toEqual([
      'environment ACME_TWO_API_KEY: has a line break or another control character in it; set it again, on one line',
    ])
  })

  it('leave the sandbox off when that is wanted', async () => {
    const site = siteWith({ 'providers/sandbox.ts': adapter(), 'pricing/sandbox.toml': prices(chat('sandbox/chat')) })
    const { providers, offers } = await buildRegistry({ ...optionsOf(site), sandbox: false })
    expect(providers[0]).toMatchObject({ status: 'off', reason: 'SANDBOX=off' })
    expect(offers.size).toBe(0)
  })
})

describe('an offer', () => {
  const quotes = async (site_toml: string) => {
    const registry = await build({
      'providers/acme.ts': adapter(),
      'pricing/acme.toml': prices(chat('acme/one'), film('acme/film'), film('acme/other')),
      'pricing/site.toml': site_toml,
    })
    return (model: string) => registry.offers.get(model)?.[0]?.quote(NOW)?.adjustment
  }

  it('is quoted with the most specific adjustment of the site, which never stack', async () => {
    const of = await quotes(
      'margin = "0.15"\n[operations.video]\ndiscount = "0.20"\n[models."acme/film"]\nmargin = "0"\n',
    )
    expect(of('acme/one')).toEqual({ margin: '0.15' })
    expect(of('acme/other')).toEqual({ discount: '0.20' })
    expect(of('acme/film')).toEqual({ margin: '0' })
  })

  it('is quoted by the block of the day, and not before the first', async () => {
    const block = (from: string, usd: string) =>
      `[[models."acme/film".prices]]\nfrom = ${from}\nrates = [{ meter = "video_seconds", usd = "${usd}" }]\n`
    const model = '[models."acme/film"]\nupstream = "film"\noperation = "video"\ncreated = 2026-09-01\n'
    const registry = await build({
      'providers/acme.ts': adapter(),
      'pricing/acme.toml': prices(model, block('2026-10-01', '0.10'), block('2026-11-01', '0.20')),
    })
    const [offer] = registry.offers.get('acme/film') ?? []
    const at = (time: string) => offer?.quote(new Date(time))?.rates[0]?.usd
    expect(at('2026-09-30T23:59:59.999Z')).toBeUndefined()
    expect(at('2026-10-01T00:00:00Z')).toBe('0.10')
    expect(at('2026-10-31T23:59:59.999Z')).toBe('0.10')
    expect(at('2026-11-01T00:00:00Z')).toBe('0.20')
    expect(offer).toMatchObject({ checked: '2026-11-20', source: 'https://acme.example/pricing', created: 1788220800 })
  })

  it('cannot be changed', async () => {
    const registry = await build({ 'providers/acme.ts': adapter(), 'pricing/acme.toml': prices(chat('acme/one')) })
    const [offer] = registry.offers.get('acme/one') ?? []
    const quote = offer?.quote(NOW)
    for (const frozen of [registry, registry.providers, offer, offer?.limits, quote, quote?.rates, quote?.rates[0]]) {
      expect(Object.isFrozen(frozen)).toBe(true)
    }
  })
})

describe('looking up a name', () => {
  const files = {
    'providers/acme.ts': adapter(),
    'providers/beta.ts': adapter(),
    'providers/cheap.ts': adapter(),
    'providers/local.ts': adapter(),
    'pricing/acme.toml': prices(
      chat('acme/one', '9'),
      chat('meta/llama-4-70b', '2'),
      chat('acme/twin'),
      film('acme/film'),
    ),
    'pricing/beta.toml': prices(chat('acme/one', '1'), chat('meta/llama-4-70b', '2', 'L4'), chat('beta/twin')),
    'pricing/cheap.toml': prices(
      chat('acme/one', '0.5'),
      chat('meta/llama-4-70b', '1'),
      chat('acme/soon', '1', 'soon', '2027-01-01'),
    ),
    'pricing/local.toml': prices(chat('local/*', '0', 'models/*')),
  }
  let registry: Registry
  beforeAll(async () => {
    registry = await build(files)
  })
  const find = (name: string, operation: Parameters<typeof lookUp>[2] = 'chat') => {
    const found = lookUp(registry, name, operation, NOW)
    return found.found ? found.offers.map(({ provider, model, upstream }) => `${provider} ${model} ${upstream}`) : found
  }

  it("puts the vendor's own provider first, then the cheapest, then goes by file name", () => {
    expect(find('acme/one')).toEqual(['acme acme/one acme/one', 'cheap acme/one acme/one', 'beta acme/one acme/one'])
    expect(find('meta/llama-4-70b')).toEqual([
      'cheap meta/llama-4-70b meta/llama-4-70b',
      'acme meta/llama-4-70b meta/llama-4-70b',
      'beta meta/llama-4-70b L4',
    ])
  })

  it('takes a bare name if one vendor alone has it, and else names the models', () => {
    expect(find('llama-4-70b')).toEqual(find('meta/llama-4-70b'))
    expect(find('twin')).toEqual({ found: false, reason: 'ambiguous', names: ['acme/twin', 'beta/twin'] })
  })

  it('takes a provider before a colon', () => {
    expect(find('beta:meta/llama-4-70b')).toEqual(['beta meta/llama-4-70b L4'])
    expect(find('beta:llama-4-70b')).toEqual(['beta meta/llama-4-70b L4'])
    expect(find('beta:twin')).toEqual(['beta beta/twin beta/twin'])
    expect(find('beta:acme/film', 'video')).toMatchObject({ found: false, reason: 'unknown' })
  })

  it('puts what a wildcard caught into the model and its upstream, slashes, colons and all', () => {
    expect(find('local/qwen3:8b')).toEqual(['local local/qwen3:8b models/qwen3:8b'])
    expect(find('local:local/Qwen/Qwen3-8B')).toEqual(['local local/Qwen/Qwen3-8B models/Qwen/Qwen3-8B'])
    expect(find('local/$&')).toEqual(['local local/$& models/$&'])
    for (const name of ['local/', 'local/*', '*', '']) expect(find(name)).toMatchObject({ reason: 'unknown' })
  })

  it('says what a model does instead', () => {
    expect(find('acme/film')).toEqual({
      found: false,
      reason: 'wrong_operation',
      names: ['acme/film'],
      operations: ['video'],
    })
    expect(find('local/x', 'video')).toMatchObject({ reason: 'wrong_operation', names: ['local/x'] })
  })

  it('does not serve a model before its first price', () => {
    expect(find('acme/soon')).toEqual({ found: false, reason: 'unpriced', names: ['acme/soon'] })
    const later = lookUp(registry, 'acme/soon', 'chat', new Date('2027-01-01'))
    expect(later.found).toBe(true)
  })

  it('names the nearest models of the same operation', () => {
    const nearest = (name: string, operation?: Parameters<typeof lookUp>[2]) => {
      const found = find(name, operation)
      return 'names' in found ? found.names : found
    }
    expect(nearest('acme/on')).toEqual(['acme/one', 'acme/soon'])
    expect(nearest('llama-4-7b')).toEqual(['meta/llama-4-70b'])
    expect(nearest('ACME/ONE')).toEqual(['acme/one'])
    expect(nearest('acme/fim', 'video')).toEqual(['acme/film'])
    expect(nearest('something/else-entirely')).toEqual([])
    expect(nearest('x'.repeat(1_000_000))).toEqual([])
  })
})

describe('what is shipped', () => {
  const KEYS = ['OPENAI', 'GROQ', 'DEEPSEEK', 'MISTRAL', 'XAI', 'OPENROUTER', 'TOGETHER', 'FIREWORKS', 'CEREBRAS']
  let registry: Registry
  beforeAll(async () => {
    registry = await buildRegistry({
      ...optionsOf(HOME),
      environment: {
        ...Object.fromEntries(KEYS.map((name) => [`${name}_API_KEY`, 'a-key'])),
        OLLAMA_BASE_URL: 'http://127.0.0.1:11434/v1',
        LOCAL_BASE_URL: 'http://127.0.0.1:8000/v1',
      },
    })
  })

  it('has no fault, and a price for every provider', () => {
    expect(registry.warnings.filter(({ place }) => place !== 'checked')).toEqual([])
  })

  it('prices the sandbox as its documentation says', () => {
    const priceOf = (model: string, meters: Record<string, number>) => {
      const quote = registry.offers.get(model)?.[0]?.quote(NOW)
      return quote && cost({ meters }, quote).amount
    }
    expect(priceOf('sandbox/image', { images: 1 })).toBe(10_000_000n)
    expect(priceOf('sandbox/video', { video_seconds: 4 })).toBe(40_000_000n)
    expect(priceOf('sandbox/speech', { characters: 1 })).toBeGreaterThan(0n)
    expect(priceOf('sandbox/transcribe', { audio_seconds: 0.5 })).toBeGreaterThan(0n)
    expect(priceOf('sandbox/chat', { input_tokens: 1 })).toBeGreaterThan(0n)
    expect(priceOf('sandbox/embed', { input_tokens: 1 })).toBeGreaterThan(0n)
  })

  it.each([
    ['gpt-5.5', 'chat', 'openai'],
    ['openai/gpt-4o-mini', 'chat', 'openai'],
    ['gpt-image-2', 'image', 'openai'],
    ['sora-2', 'video', 'openai'],
    ['whisper-1', 'transcription', 'openai'],
    ['groq:meta/llama-3.3-70b', 'chat', 'groq'],
    ['deepseek-v4-pro', 'chat', 'deepseek'],
    ['local/anything', 'image', 'local'],
  ] as const)('finds %s for %s at %s', (name, operation, provider) => {
    const found = lookUp(registry, name, operation, NOW)
    expect(found.found && found.offers[0]?.provider).toBe(provider)
  })
})
