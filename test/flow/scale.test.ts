// The scale run (npm run scale) in short: the real processes, three hundred films, one router, vendors that are twenty times
// as fast.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/scale.ts', import.meta.url))

// How late films are seen is the machine's affair as much as ours: the run itself judges that, on a machine of its own.
const LATE = /^ {2}p95 is .*$/m

it('three hundred films at four vendors are asked for within limits, made, and charged once', {
  timeout: 180_000,
}, async () => {
  const arguments_ = ['--disable-warning=ExperimentalWarning', script, '300', '1', '20']
  const { stdout } = await promisify(execFile)(process.execPath, arguments_).catch((error: { stdout?: string }) => ({
    stdout: error.stdout ?? String(error),
  }))
  expect(stdout).toMatch(/verify is clean$/m)
  const [, violations = 'there is no reckoning'] = stdout.split(/^violations +\d+$/m)
  expect(violations.replace(LATE, '').trim()).toBe('')
})
