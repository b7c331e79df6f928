// What a case is, and what every case must have brought about besides its own result: paid jobs, and nothing that a real
// provider would have refused.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonObject } from '../../src/contract.ts'
import type { RouterProcess } from './router.ts'
import type { Place } from './run.ts'
import type { Stub } from './stub/server.ts'
import { list, record } from './stub/strict.ts'

export interface Bench extends Place {
  router: RouterProcess
  stub: Stub
  /** Of a user of this case alone. */
  key: string
}

export interface Case {
  client: string
  /** Of the package that is the client, in package.json. */
  package: string
  format: string
  /** What is run, for the report. */
  what: string
  /** How many jobs there are at least. */
  jobs: number
  run(bench: Bench): Promise<void>
}

/** Throws if a job of the case failed or was not charged, or a provider would have refused what the router sent. */
export async function checkJobs({ router, stub, key }: Bench, least: number): Promise<string> {
  const faults = stub.take().flatMap(({ path, faults }) => faults.map((fault) => `${path}: ${fault}`))
  if (faults.length > 0) throw new Error(`A provider would have refused:\n${faults.join('\n')}`)
  const jobs = list((await router.call('GET', '/v1/jobs?limit=100', undefined, key)).data)
  for (const job of jobs) {
    const billing = record(job.billing)
    if (job.status !== 'completed' || billing.status !== 'settled' || Number(billing.cost_usd) <= 0)
      throw new Error(`A job was not charged: ${JSON.stringify(job)}`)
  }
  if (jobs.length < least) throw new Error(`${jobs.length} jobs instead of at least ${least}`)
  return `${jobs.length} jobs, $${sum(jobs)}`
}

const sum = (jobs: JsonObject[]) =>
  jobs.reduce((total, job) => total + Number(record(job.billing).cost_usd), 0).toFixed(6)

export function expectText(written: string, wanted: string): void {
  if (!written.includes(wanted))
    throw new Error(`${JSON.stringify(wanted)} is not in what it wrote:\n${written.slice(-3000)}`)
}

export function expectFile(place: Place, name: string, content: string): void {
  const path = join(place.work, name)
  if (!existsSync(path)) throw new Error(`The agent made no ${name}`)
  const found = readFileSync(path, 'utf8').trim()
  if (found !== content) throw new Error(`${name} holds ${JSON.stringify(found)} instead of ${JSON.stringify(content)}`)
}
