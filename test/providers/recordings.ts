// Real traffic with real providers, recorded by other projects and kept beside this checkout; tests that use it are
// skipped where it is absent. The project copies none of it.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '..', '..', '..', 'shared', 'recordings')

export interface Recording {
  id: string
  endpoint?: { path: string; method?: string }
  request?: { body?: Record<string, unknown> }
  response: { status: number; headers?: Record<string, string>; body_text?: string }
  streaming?: boolean
}

export const haveRecordings = existsSync(folder)

/** The exchanges with one provider; empty where there are no recordings. */
export function recordingsOf(provider: string): Recording[] {
  if (!haveRecordings) return []
  const lines = readFileSync(join(folder, `${provider}.jsonl`), 'utf8').split('\n')
  return lines.filter(Boolean).map((line) => {
    const whole = line.replace(/@@blob:([0-9a-f]{32})@@/g, (_, name) =>
      readFileSync(join(folder, 'blobs', name), 'utf8'),
    )
    return JSON.parse(whole) as Recording
  })
}
