// The torture (npm run torture) in short: the real process, killed without warning three times under load.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/torture.ts', import.meta.url))

it('three kills under load leave no hold behind, and charge every answer once', { timeout: 120_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    script,
    '3',
    '7',
  ])
  expect(stdout).toMatch(/^kills +3$/m)
  expect(stdout).toMatch(/^violations +0$/m)
})
