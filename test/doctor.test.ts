// `npm run doctor` as an operator runs it: a process of its own, with folders and an environment of theirs.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const SCRIPT = join(import.meta.dirname, '..', 'scripts', 'doctor.ts')
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-doctor-'))
  for (const name of ['providers', 'pricing']) mkdirSync(join(folder, name))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function doctor(environment: Record<string, string> = {}): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [SCRIPT], {
    cwd: folder,
    env: { PROVIDERS_DIR: 'providers', PRICING_DIR: 'pricing', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const code = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, output: output + errors }
}

/** As somebody would write it who has only this folder: it imports the contract and zod by name. */
const ADAPTER = `
import { z } from 'zod'
import { defineProvider, type Connection } from 'switchyard/src/contract.ts'
const acme = defineProvider({
  contract: 1, name: 'Acme', docs: 'https://acme.example',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().optional() }),
  connect: (): Connection => ({ video: { start: async () => { throw new Error('never called here') } } }),
})
export { acme as default }
`
const prices = (operation: string) => `
source = "https://acme.example/pricing"
checked = ${new Date().toISOString().slice(0, 10)}
[models."acme/film"]
upstream = "film"
operation = "${operation}"
[[models."acme/film".prices]]
from = 2026-01-01
rates = [{ meter = "video_seconds", usd = "0.15" }]
`
function dropIn(operation = 'video') {
  writeFileSync(join(folder, 'providers', 'acme.ts'), ADAPTER)
  writeFileSync(join(folder, 'pricing', 'acme.toml'), prices(operation))
}

describe('the doctor', () => {
  it('shows what is on and what is off, and why, and finds nothing wrong with what is shipped', async () => {
    const { code, output } = await doctor()
    expect(output).toMatch(/^on +sandbox +6 +chat embedding image video speech transcription$/m)
    expect(output).toMatch(/^off +openai +\d+ +chat .* OPENAI_API_KEY is not set$/m)
    expect(output).toMatch(/1 of \d+ providers on, 6 models served, no faults/)
    expect(code).toBe(0)
    // It never opens the store, so nothing of it lies in the working folder.
    expect(readdirSync(folder).sort()).toEqual(['pricing', 'providers'])
  })

  it('takes an adapter and its prices dropped into folders anywhere, and the key from .env', async () => {
    dropIn()
    expect((await doctor()).output).toMatch(/^off +acme +1 +video +ACME_API_KEY is not set$/m)
    writeFileSync(join(folder, '.env'), 'ACME_API_KEY=secret\n')
    const { code, output } = await doctor()
    expect(output).toMatch(/^on +acme +1 +video$/m)
    expect(code).toBe(0)
  })

  it('calls a provider without prices a warning', async () => {
    writeFileSync(join(folder, 'providers', 'acme.ts'), ADAPTER)
    const { code, output } = await doctor({ ACME_API_KEY: 'secret' })
    expect(output).toMatch(/warnings?\n(.*\n)*? {2}pricing\/acme\.toml: the provider "acme" has no price file; /)
    expect(code).toBe(0)
  })

  it('lists faults with their remedies and fails', async () => {
    dropIn('vidoe')
    writeFileSync(join(folder, 'pricing', 'nobody.toml'), prices('video'))
    const { code, output } = await doctor({ ACME_API_KEY: 'secret', ACME_BASE_URL: 'nonsense' })
    expect(output).toContain('3 faults: the router will not start')
    expect(output).toContain(
      'pricing/acme.toml models."acme/film".operation: "vidoe" is not an operation; did you mean "video"?',
    )
    expect(output).toContain('pricing/nobody.toml: there is no provider "nobody"; ')
    expect(output).toContain('environment ACME_BASE_URL: Invalid URL; ')
    expect(output).not.toContain('secret')
    expect(code).toBe(1)
  })

  it('says what is wrong with the configuration itself', async () => {
    const { code, output } = await doctor({ PORT: 'eighty' })
    expect(output).toMatch(/The configuration is wrong:\n {2}PORT: /)
    expect(code).toBe(1)
  })
})
