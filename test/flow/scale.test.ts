// The scale run (npm run scale) in short: the real processes, three hundred films, one router, vendors that are ten times
// as fast.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/scale.ts', import.meta.url))

it('three hundred films at four vendors are seen in time, asked for within limits, and charged once', {
  timeout: 180_000,
}, async () => {
  const arguments_ = ['--disable-warning=ExperimentalWarning', script, '300', '1', '10']
  const { stdout } = await promisify(execFile)(process.execPath, arguments_).catch((error: { stdout?: string }) => {
    throw new Error(error.stdout ?? String(error))
  })
  expect(stdout).toMatch(/verify is clean$/m)
  expect(stdout).toMatch(/^violations +0$/m)
})
