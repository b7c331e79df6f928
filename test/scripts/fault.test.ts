// The fault run (npm run fault) in short: some simulated worlds, and one round of real routers that are hurt under load.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/fault.ts', import.meta.url))
const run = (...given: string[]) =>
  promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', script, ...given])

it('a moment of every fault leaves the books exact, and says what was done', { timeout: 240_000 }, async () => {
  const { stdout } = await run('--minutes', '0.1', '--seed', '11')
  expect(stdout).toMatch(/^simulated: kills +\d+$/m)
  expect(stdout).toMatch(/^seeds +11 to \d+ \(\d+ jobs\); routers: 11 \(1 rounds, \d+ jobs\)$/m)
  expect(stdout).toMatch(/^drift +0 nano-dollars$/m)
  expect(stdout).toMatch(/^violations +0$/m)
})

it('a time that is none is refused with an example', async () => {
  await expect(run('--minutes', 'soon')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--minutes 10'),
  })
})
