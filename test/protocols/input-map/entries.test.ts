// Entries of price files that carry a map: those that are shipped, those of the documentation, and those with a fault.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Meter, ProviderError, type Tools } from '../../../src/contract.ts'
import { faultLine } from '../../../src/pricing/fault.ts'
import { applyMap, fillInput } from '../../../src/protocols/input-map/apply.ts'
import { FIELDS, FILES, isMapped, said } from '../../../src/protocols/input-map/fields.ts'
import type { ModelMap } from '../../../src/protocols/input-map/schema.ts'
import { estimateOf, sourcesOf, toldBy, usageOf } from '../../../src/protocols/input-map/usage.ts'
import { buildRegistry, type Offer, type Registry, RegistryFaults } from '../../../src/registry.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const unplugged = () => Promise.reject(new Error('no network'))
const UNPLUGGED = { fetch: Object.assign(unplugged, { send: unplugged }) } as unknown as Tools

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sw-entries-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const load = (pricing_dirs: string[]): Promise<Registry> =>
  buildRegistry({
    provider_dirs: [join(ROOT, 'providers')],
    pricing_dirs,
    environment: { REPLICATE_API_TOKEN: 'r8_x', FAL_KEY: 'x' },
    sandbox: false,
    makeTools: () => UNPLUGGED,
  })

const mapped = ({ offers }: Registry): Offer[] => [...offers.values()].flat().filter(({ options }) => options.input)

describe('the entries that are shipped', () => {
  it('are all understood', async () => {
    const offers = mapped(await load([join(ROOT, 'pricing')]))
    expect(new Set(offers.map(({ provider }) => provider))).toEqual(new Set(['fal', 'replicate']))
  })

  it('send on everything that was asked for or refuse it by name, and never consume more than they estimate', async () => {
    const offers = mapped(await load([join(ROOT, 'pricing')]))
    await fc.assert(fc.asyncProperty(askedOf(offers), check), { numRuns: 400, seed: 20261121 })
  })
})

const file = fc.constant({ type: 'url', url: 'https://files.test/a' })
const files = fc.array(file, { minLength: 1, maxLength: 3 })
const text = fc.constantFrom('words', 'other words')
const VALUES: Record<string, fc.Arbitrary<unknown>> = {
  size: fc.constantFrom('1024x1024', '1536x1024', '1280x720', '7x7', 'auto'),
  aspect_ratio: fc.constantFrom('1:1', '16:9', '9:16', '7:1'),
  resolution: fc.constantFrom('1K', '720p', '1080p', '8k'),
  output_format: fc.constantFrom('png', 'jpeg', 'webp'),
  quality: fc.constantFrom('auto', 'high'),
  background: fc.constantFrom('auto', 'transparent'),
  output_compression: fc.integer({ min: 0, max: 100 }),
  seed: fc.integer(),
  audio: fc.boolean(),
  speed: fc.double({ min: 0.25, max: 4, noNaN: true }),
  first_frame: file,
  last_frame: file,
  mask: file,
  images: files,
  references: files,
}
/** What every request has, whatever else it asks for; width and height are the router's own words. */
const ALWAYS = {
  prompt: text,
  input: text,
  voice: fc.constant('af_nova'),
  n: fc.integer({ min: 1, max: 4 }),
  seconds: fc.constant(5),
}
const NOT_ASKED = [...Object.keys(ALWAYS), 'width', 'height']

/** One of the models, and a request with any of the fields that its operation has. */
const askedOf = (offers: Offer[]) =>
  fc.constantFrom(...offers).chain(({ operation, options }) => {
    if (!isMapped(operation)) throw new Error(`There is a map for ${operation}.`)
    const optional = FIELDS[operation].filter((name) => !NOT_ASKED.includes(name))
    const fields = Object.fromEntries(optional.map((name) => [name, VALUES[name] ?? text]))
    const requiredKeys = Object.keys(ALWAYS) as (keyof typeof ALWAYS)[]
    return fc.record({
      map: fc.constant(options as unknown as ModelMap),
      operation: fc.constant(operation),
      request: fc.record({ ...fields, ...ALWAYS }, { requiredKeys }),
      made: fc.integer({ min: 1, max: 4 }),
      reported: fc.double({ min: 0 }),
    })
  })
type Asked = ReturnType<typeof askedOf> extends fc.Arbitrary<infer Value> ? Value : never

async function check({ map, operation, request, made, reported }: Asked): Promise<void> {
  try {
    const order = applyMap(map, operation, request)
    const sent = JSON.stringify(await fillInput(order, async () => 'https://files.test/a'))
    const given = FILES[operation].some((name) => said(request, name) !== undefined)
    expect(sent.includes('files.test')).toBe(given)
    const seed: unknown = Reflect.get(request, 'seed')
    if (seed !== undefined && FIELDS[operation].includes('seed')) expect(sent).toContain(String(seed))
    const [told, sources] = [toldBy(request, order), sourcesOf(map, operation)]
    const estimate = estimateOf(sources, told, order.attributes)
    const answer = { metrics: { predict_time: reported } }
    const usage = usageOf(sources, told, order.attributes, { files: Math.min(made, told.files), answer })
    for (const [meter, quantity] of Object.entries(usage.meters))
      expect(quantity).toBeLessThanOrEqual(estimate.meters[meter as Meter] ?? -1)
    expect(usage.attributes).toEqual(estimate.attributes)
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
    expect([error.kind, error.detail.param]).toEqual(['invalid_request', expect.stringMatching(/^\w+$/)])
  }
}

describe('docs/adding-a-model.md', () => {
  it('has entries that are understood, and an example that comes true', async () => {
    const page = await readFile(join(ROOT, 'docs', 'adding-a-model.md'), 'utf8')
    for (const [, name = '', toml = ''] of page.matchAll(/```toml\n# pricing\/(\w+\.toml)\n([^`]*)```/g))
      await writeFile(join(folder, name), toml)
    const registry = await load([folder])
    expect(mapped(registry).map(({ model }) => model)).toEqual(['acme/film-2', 'acme/hear-1'])
    const [, asked = ''] = /^`(\{"model": "acme\/film-2".*\})` then/m.exec(page) ?? []
    const [, sent = ''] = /```json\n([^`]*)```/.exec(page) ?? []
    const { options } = registry.offers.get('acme/film-2')?.[0] ?? expect.unreachable('no offer')
    const order = applyMap(options as unknown as ModelMap, 'video', JSON.parse(asked))
    expect(await fillInput(order, async () => '')).toEqual(JSON.parse(sent))
    for (const [operation, fields] of Object.entries(FIELDS)) {
      const row = page.split('\n').find((line) => line.startsWith(`| \`${operation}\` | \`${fields[0]}\``)) ?? ''
      expect([...row.matchAll(/`(\w+)`/g)].slice(1).map(([, name]) => name)).toEqual(fields)
    }
  })
})

describe('an entry with a fault', () => {
  const entry = (options: string, rest = 'operation = "image"', rate = 'meter = "images", usd = "1"') => `
source = "x"
checked = 2026-11-21
[models."acme/pic-1"]
upstream = "acme/pic-1"
${rest}
[models."acme/pic-1".options]
${options}
[[models."acme/pic-1".prices]]
from = 2026-11-01
rates = [ { ${rate} } ]
`
  const whole = 'input = { prompt = "prompt" }\noutput = { images = "output" }'

  async function faults(toml: string): Promise<string[]> {
    const own = await mkdtemp(join(folder, 'fault-'))
    await writeFile(join(own, 'replicate.toml'), toml)
    try {
      await load([own])
      return []
    } catch (error) {
      if (!(error instanceof RegistryFaults)) throw error
      return error.faults.map((fault) => faultLine({ ...fault, file: 'replicate.toml' }))
    }
  }

  it.each<[string, string, string]>([
    ['no map at all', entry(''), '.options.input: Invalid input: expected record, received undefined'],
    [
      'a field that there is not',
      entry(whole.replace('prompt =', 'promt =')),
      'input.promt: image has no "promt"; it knows prompt',
    ],
    [
      'no input for what every request has',
      entry(whole.replace('prompt = "prompt"', 'n = "n"')),
      'input.prompt: is missing, and every request for image has one; name its input',
    ],
    [
      'no place of the result',
      entry(whole.replace('images =', 'video =')),
      'output.images: is missing, and image gives one; say where in the answer it stands: output.images = "output…"',
    ],
    [
      'a path that is none',
      entry(whole.replace('"output"', '"output..x"')),
      'output.images: must be a path into the answer, like "output.images[].url"',
    ],
    [
      'an input that is none',
      entry(whole.replace('"prompt" }', '"pro mpt" }')),
      'must be the name of an input, a table with `to`, or false',
    ],
    [
      'two ways for one field',
      entry(whole.replace('{ prompt', '{ seed = { to = "s", as = "text", template = "{}" }, prompt')),
      'input.seed: has more than one of as, template and values; keep one of them',
    ],
    [
      'a list for one file',
      entry(whole.replace('{ prompt', '{ mask = "m[]", prompt')),
      'input.mask: mask is not a list, and "m[]" is; leave [] out',
    ],
    [
      'a ratio that is none',
      entry(whole.replace('{ prompt', '{ aspect_ratio = { to = "a", choices = ["wide"] }, prompt')),
      'input.aspect_ratio: "wide" is no ratio; write ratios like "16:9"',
    ],
    [
      'a default that is no choice',
      entry(whole.replace('{ prompt', '{ quality = { to = "q", choices = ["a"], default = "b" }, prompt')),
      'input.quality: its default b is none of its choices; add it to them',
    ],
    [
      'a variant for what is no file',
      entry(`${whole}\nvariants = [ { given = "seed" } ]`),
      'variants.0.given: "seed" is no file of image; it knows images, mask',
    ],
    [
      'a price for what nothing counts',
      entry(whole, undefined, 'meter = "compute_seconds", usd = "1"'),
      'usage.compute_seconds: is missing, and the entry has a price for compute_seconds; say what counts it, or price images',
    ],
    [
      'megapixels of no size',
      entry(`${whole}\nusage = { megapixels = "megapixels" }`, undefined, 'meter = "megapixels", usd = "1"'),
      'usage.megapixels: cannot be known where the caller names no size; give size a default like "1024x1024"',
    ],
    [
      'two operations',
      entry(whole, 'operation = ["image", "video"]', 'meter = "requests", usd = "1"'),
      'a map is for one operation, not for image and video',
    ],
    [
      'a film whose length nobody can choose',
      entry(
        'input = { prompt = "prompt" }\noutput = { video = "output" }',
        'operation = "video"',
        'meter = "videos", usd = "1"',
      ),
      'input.seconds: is missing, so that nobody can choose the length; name its input, or the one length that the model makes in limits.seconds',
    ],
    ['a member that there is not', entry(`${whole}\nouput = 1`), 'Unrecognized key: "ouput"'],
  ])('is told with its place and its remedy: %s', async (_what, toml, expected) => {
    const told = await faults(toml)
    expect(told.join('\n')).toContain(expected)
    expect(told.every((line) => line.startsWith('replicate.toml models."acme/pic-1".options'))).toBe(true)
  })

  it('is none where there is none', async () => expect(await faults(entry(whole))).toEqual([]))
})
