// How the tests run: each file in a process of its own, because they open real ports, threads and files. It never needs a
// network beyond loopback.
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    pool: 'forks',
    // vitest's own count leaves one core idle; our tests wait for sockets more than they compute.
    maxWorkers: Math.max(2, availableParallelism()),
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Warnings of node:sqlite, as scripts/launch.mjs has it.
    execArgv: ['--disable-warning=ExperimentalWarning'],
  },
})
