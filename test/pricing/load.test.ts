// Reading price files: what an operator gets wrong is told with its place and remedy, all of it at once.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { faultLine } from '../../src/pricing/fault.ts'
import { loadPrices } from '../../src/pricing/load.ts'

let root: string
let folders = 0
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'switchyard-prices-'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

function folderWith(files: Record<string, string>): string {
  const folder = join(root, `${folders++}`)
  mkdirSync(folder)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

const HEAD = 'source = "https://acme.example/pricing"\nchecked = 2026-11-20\n'
const film = (changes: { model?: string; block?: string } = {}) => `${HEAD}
[models."acme/film-2"]
upstream = "film-2-250828"
${changes.model ?? 'operation = "video"\nlimits = { seconds = [5, 10], resolution = ["720p"] }'}
${changes.block ?? '[[models."acme/film-2".prices]]\nfrom = 2026-11-01\nrates = [{ meter = "video_seconds", usd = "0.15", when = { resolution = "720p" } }]'}
`
/** The faults of one file, as lines without the folder's name. */
function faultsOf(text: string, name = 'acme.toml'): string[] {
  const folder = folderWith({ [name]: text })
  return loadPrices([folder], folder).faults.map(faultLine)
}
const withRates = (rates: string, model?: string) =>
  film({ ...(model && { model }), block: `[[models."acme/film-2".prices]]\nfrom = 2026-11-01\nrates = [${rates}]` })

describe('a price file', () => {
  it('is read whole, dates as ISO text', () => {
    const folder = folderWith({ 'acme.toml': film() })
    const { providers, faults } = loadPrices([folder], folder)
    expect(faults).toEqual([])
    expect(providers.get('acme')?.get('acme/film-2')).toEqual({
      name: 'acme/film-2',
      file: 'acme.toml',
      source: 'https://acme.example/pricing',
      checked: '2026-11-20',
      vendor: undefined,
      upstream: 'film-2-250828',
      operation: ['video'],
      limits: { seconds: [5, 10], resolution: ['720p'] },
      options: {},
      prices: [
        { from: '2026-11-01', rates: [{ meter: 'video_seconds', usd: '0.15', per: 1, when: { resolution: '720p' } }] },
      ],
    })
  })

  it.each([
    [
      'operation = "vidoe"',
      'acme.toml models."acme/film-2".operation: "vidoe" is not an operation; did you mean "video"?',
    ],
    [
      'operation = ["video", "chatt"]',
      'acme.toml models."acme/film-2".operation[1]: "chatt" is not an operation; did you mean "chat"?',
    ],
    [
      'operation = "video"\nlimts = {}',
      'acme.toml models."acme/film-2".limts: "limts" is not a field here; did you mean "limits"?',
    ],
    [
      'operation = "video"\nlimits = { second = [5] }',
      'acme.toml models."acme/film-2".limits.second: "second" is not a field here; did you mean "seconds"?',
    ],
    [
      'operation = "video"\nlimits = { context = 1.5 }',
      'acme.toml models."acme/film-2".limits.context: must be a whole number',
    ],
  ])('says what is wrong with a model: %s', (model, line) => {
    expect(faultsOf(film({ model }))).toEqual([line])
  })

  const at = 'acme.toml models."acme/film-2".prices[0].rates[0]'
  it.each([
    [
      '{ meter = "video_second", usd = "1" }',
      `${at}.meter: "video_second" is not a meter; did you mean "video_seconds"?`,
    ],
    ['{ meter = "videos", usd = 0.15 }', `${at}.usd: must be a decimal in quotes, like "0.15"`],
    ['{ meter = "videos", usd = "-1" }', `${at}.usd: must be a plain decimal of at least 0, like "0.15"`],
    ['{ meter = "videos", usd = "1e3" }', `${at}.usd: must be a plain decimal of at least 0, like "0.15"`],
    ['{ meter = "videos", usd = "1", per = 0 }', `${at}.per: must be at least 1`],
    ['{ meter = "videos" }', `${at}.usd: is missing; add it`],
    [
      '{ meter = "videos", usd = "1", when = { context_over = "a" } }',
      `${at}.when: context_over must be a number of tokens`,
    ],
    [
      '{ meter = "videos", usd = "1", when = { resoluton = "720p" } }',
      `${at}.when.resoluton: "resoluton" is not an attribute of usage; did you mean "resolution"?`,
    ],
  ])('says what is wrong with a rate: %s', (rate, line) => {
    expect(faultsOf(withRates(rate))).toEqual([line])
  })

  it('accepts an attribute that an adapter may report of its own', () => {
    expect(faultsOf(withRates('{ meter = "videos", usd = "1", when = { style = "noir" } }'))).toEqual([])
  })

  it('tells all faults at once', () => {
    const text = film({
      model: 'operation = "vidoe"',
      block: '[[models."acme/film-2".prices]]\nfrom = "soon"\nrates = []',
    })
    expect(faultsOf(`vendr = "x"\n${text}`)).toEqual([
      'acme.toml models."acme/film-2".operation: "vidoe" is not an operation; did you mean "video"?',
      'acme.toml models."acme/film-2".prices[0].from: must be a date without quotes, like 2026-11-20',
      'acme.toml models."acme/film-2".prices[0].rates: must have at least one rate',
      'acme.toml vendr: "vendr" is not a field here; did you mean "vendor"?',
    ])
  })

  it('says on which line it stops being TOML', () => {
    expect(faultsOf('source = "x"\nchecked = = 1\n')).toEqual([
      expect.stringMatching(/^acme\.toml line 2: .+; correct the TOML$/),
    ])
  })

  it('must name models by vendor', () => {
    expect(faultsOf(film().replaceAll('acme/film-2', 'Film'))).toEqual([
      'acme.toml models.Film: must be named vendor/name in lower case, like "acme/film-2"',
    ])
  })

  it('must have its prices in order of their dates', () => {
    const block = '[[models."acme/film-2".prices]]\nfrom = 2026-11-01\nrates = [{ meter = "videos", usd = "1" }]\n'
    expect(faultsOf(film({ block: block + block }))).toEqual([
      'acme.toml models."acme/film-2".prices[1].from: 2026-11-01 does not come after 2026-11-01; put the blocks in order of their dates',
    ])
  })

  it('must have a wildcard on both sides or on neither', () => {
    expect(faultsOf(film().replaceAll('acme/film-2', 'acme/*'))).toEqual([
      'acme.toml models."acme/*".upstream: "acme/*" and its upstream "film-2-250828" must both have a *, or neither; the * of the upstream stands for what the caller names',
    ])
  })

  it('may not leave a part of the work free by omission', () => {
    expect(faultsOf(withRates('{ meter = "input_tokens", usd = "1" }', 'operation = "chat"'))).toEqual([
      'acme.toml models."acme/film-2".prices[0].rates: chat needs a rate for output_tokens or requests or compute_seconds; add one; usd = "0" says that it is free',
    ])
  })
})

describe('rates under conditions', () => {
  const at = 'acme.toml models."acme/film-2".prices[0]'
  const rate = (usd: string, when = '') => `{ meter = "videos", usd = "${usd}"${when && `, when = { ${when} }`} }`
  const of = (...rates: string[]) => faultsOf(withRates(rates.join(', ')))

  it('may not tie', () => {
    expect(of(rate('1'), rate('2'))).toEqual([
      `${at}.rates[1]: ties with rates[0]: both price videos and neither is the more specific; remove one of them`,
    ])
    expect(of(rate('1', 'tier = "batch"'), rate('2', 'resolution = "720p"'))).toEqual([
      `${at}.rates[1]: ties with rates[0]: both price videos and neither is the more specific; add a rate for resolution=720p tier=batch, or remove one of them`,
    ])
  })

  it('do not tie where they exclude each other or a third one decides', () => {
    expect(of(rate('1', 'tier = "batch"'), rate('2', 'tier = "priority"'))).toEqual([])
    expect(
      of(
        rate('1', 'tier = "batch"'),
        rate('2', 'resolution = "720p"'),
        rate('3', 'resolution = "720p", tier = "batch"'),
      ),
    ).toEqual([])
    expect(of(rate('1'), rate('2', 'context_over = 10'), rate('3', 'context_over = 20'))).toEqual([])
  })

  it('may not be cheaper for a longer context, or the hold would not be an upper bound', () => {
    expect(of(rate('2'), rate('1', 'context_over = 200_000'))).toEqual([
      `${at}.rates[1]: videos is cheaper above a context of 200000 tokens; a longer context must cost at least as much, or the hold would be too small`,
    ])
  })

  it('may not price a longer context only', () => {
    expect(of(rate('1', 'context_over = 200_000'))).toEqual([
      `${at}.rates[0]: prices videos only above a context of 200000 tokens; add the rate for a shorter one`,
    ])
  })
})

describe('several folders', () => {
  it('lay a later model over the same one before it and keep the others', () => {
    const shipped = folderWith({ 'acme.toml': film() + film().slice(HEAD.length).replaceAll('film-2', 'film-1') })
    const own = folderWith({ 'acme.toml': withRates('{ meter = "videos", usd = "9" }') })
    const models = loadPrices([shipped, own]).providers.get('acme')
    expect([...(models?.keys() ?? [])].sort()).toEqual(['acme/film-1', 'acme/film-2'])
    expect(models?.get('acme/film-2')?.prices[0]?.rates[0]?.usd).toBe('9')
  })

  it('must exist', () => {
    expect(loadPrices([join(root, 'nowhere')]).faults.map(faultLine)).toEqual([
      `${join(root, 'nowhere')}: there is no such folder; make it, or correct PRICING_DIR`,
    ])
  })
})

describe('site.toml', () => {
  it('sells packs: what is paid and what is had for it', () => {
    const folder = folderWith({ 'site.toml': '[packs.studio]\npay = "400"\nget = "500.50"\nexpires_days = 365' })
    expect(loadPrices([folder]).site.packs).toEqual({
      studio: { pay: 400_000_000_000n, get: 500_500_000_000n, expires_days: 365 },
    })
    for (const [pay, get] of [
      ['"5"', '"4"'],
      ['"0"', '"4"'],
      ['5', '"6"'],
      ['"5"', '"1e9"'],
    ]) {
      const broken = folderWith({ 'site.toml': `[packs.studio]\npay = ${pay}\nget = ${get}` })
      expect(loadPrices([broken]).faults[0]?.place).toContain('packs.studio')
    }
  })

  it('gives a discount or a margin, by operation or model if wanted', () => {
    const folder = folderWith({
      'site.toml': 'margin = "0.15"\n[operations.video]\ndiscount = "0.20"\n[models."acme/film-2"]\nmargin = "0"\n',
    })
    expect(loadPrices([folder]).site).toEqual({
      margin: '0.15',
      packs: {},
      operations: { video: { discount: '0.20' } },
      models: { 'acme/film-2': { margin: '0' } },
    })
  })

  it.each([
    ['margin = "0.1"\ndiscount = "0.1"', 'site.toml: has both a discount and a margin: at most one of them'],
    ['discount = "1.5"', 'site.toml discount: must be at most "1"'],
    ['discount = 0.2', 'site.toml discount: must be a decimal in quotes, like "0.20"'],
    [
      '[operations.vidoe]\nmargin = "0.1"',
      'site.toml operations.vidoe: "vidoe" is not a field here; did you mean "video"?',
    ],
  ])('says what is wrong: %s', (text, line) => {
    expect(faultsOf(text, 'site.toml')).toEqual([line])
  })
})
