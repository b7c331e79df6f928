// The SDKs: one program of plain JavaScript a client and format, as a developer would write it, run over several models.
import { join } from 'node:path'
import type { Case } from './case.ts'
import { CLIENTS_DIR } from './install.ts'
import { runClient } from './run.ts'

interface Program {
  client: string
  package: string
  format: string
  file: string
  what: string
  models: string[]
  jobs: number
}

const programCase = ({ file, models, what, ...rest }: Program): Case => ({
  ...rest,
  what: models.length > 0 ? `${what}: ${models.join(', ')}` : what,
  run: async (bench) => {
    await runClient(bench, {
      program: process.execPath,
      arguments: [join(CLIENTS_DIR, 'programs', file)],
      environment: { SWITCHYARD_URL: bench.router.url, SWITCHYARD_KEY: bench.key, MODELS: models.join(',') },
    })
  },
})

const PROGRAMS: Program[] = []

export const PROGRAM_CASES: Case[] = PROGRAMS.map(programCase)
