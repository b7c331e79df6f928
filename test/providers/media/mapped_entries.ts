// Price entries of a test's own, laid over the shipped ones: models that are billed by computing time, and transcripts,
// for which no price is shipped. They show that an entry is all that a model needs.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder for PRICING_DIR. */
export function pricingDir(provider: string, entries: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sw-prices-'))
  writeFileSync(join(folder, `${provider}.toml`), `source = "test"\nchecked = 2026-11-21\n${entries}`)
  return folder
}

/** A whole recording as a form. */
export function recording(model: string, sound: Uint8Array): FormData {
  const form = new FormData()
  form.set('model', model)
  form.set('file', new Blob([new Uint8Array(sound)], { type: 'audio/wav' }), 'remark.wav')
  return form
}
