// The reckoning: what callers were told, against jobs, ledger and account. Each difference is a violation, in words.
import type { Api, Entry, Job } from './api.ts'
import type { Line } from './load.ts'

export interface Tally {
  jobs: number
  completed: number
  settled_usd: string
  /** Jobs that no caller was told of. */
  unheard: number
}

const OPEN: Job['status'][] = ['queued', 'in_progress']

export const isOpen = ({ status }: Job): boolean => OPEN.includes(status)

/** Holds against open jobs, and the books: at a moment when nobody asks for anything. */
export async function checkRest(caller: Api, admin: Api): Promise<string[]> {
  const faults: string[] = []
  const [before, open] = [await openJobs(caller), await caller.json<{ held_usd: string }>('/v1/credits')]
  const after = await openJobs(caller)
  // Work that ended in between makes this reading void; the next one will do.
  if (before.length !== after.length) return ['jobs are still ending']
  const held = sum(after.filter(({ billing }) => billing.status === 'held').map(({ billing }) => billing.hold_usd))
  if (nano(open.held_usd) !== held) faults.push(`${open.held_usd} USD are held; open jobs hold ${usd(held)}`)
  const books = await admin.json<{ ok: boolean; drift: object[] }>('/api/v1/verify', {})
  if (!books.ok) faults.push(`verify: ${JSON.stringify(books.drift)}`)
  return faults
}

export async function openJobs(caller: Api): Promise<Job[]> {
  const pages = await Promise.all(OPEN.map((status) => caller.all<Job>(`/v1/jobs?status=${status}`)))
  return pages.flat()
}

/** When all work is over: every line of the journal against its job, every job against its entry, the account against all. */
export async function reckon(
  caller: Api,
  admin: Api,
  user_id: string,
  journal: Line[],
): Promise<{ tally: Tally; faults: string[] }> {
  const faults: string[] = []
  const jobs = new Map((await caller.all<Job>('/v1/jobs')).map((job) => [job.id, job]))
  const ledger = await admin.all<Entry>(`/api/v1/ledger?user_id=${user_id}`)
  const entries = new Map(ledger.flatMap((entry) => (entry.job_id === null ? [] : [[entry.job_id, entry]])))
  for (const job of jobs.values()) faults.push(...checkJob(job, entries.get(job.id)))
  for (const { id, job_id } of ledger) {
    if (job_id !== null && !jobs.has(job_id)) faults.push(`entry ${id} is of a job that is not there`)
  }
  for (const line of journal) faults.push(...checkLine(line, jobs.get(line.job_id)))
  const granted = sum(ledger.filter(({ type }) => type === 'grant').map(({ amount_usd }) => amount_usd))
  const charged = sum(ledger.filter(({ type }) => type === 'settle').map(({ amount_usd }) => amount_usd))
  const credits = await caller.json<Record<string, string>>('/v1/credits')
  for (const [name, expected] of Object.entries({
    credits_usd: granted,
    settled_usd: charged,
    held_usd: 0n,
    available_usd: granted - charged,
  })) {
    if (nano(credits[name] ?? '') !== expected) faults.push(`${name} is ${credits[name]}, and must be ${usd(expected)}`)
  }
  const heard = new Set(journal.map(({ job_id }) => job_id))
  const all = [...jobs.values()]
  const tally = {
    jobs: jobs.size,
    completed: all.filter(({ status }) => status === 'completed').length,
    settled_usd: usd(charged),
    unheard: all.filter(({ id }) => !heard.has(id)).length,
  }
  return { tally, faults }
}

function checkJob(job: Job, entry: Entry | undefined): string[] {
  const { id, status, billing } = job
  const name = `job ${id} (${job.operation}, ${status})`
  if (isOpen(job)) return [`${name} has not come to its end`]
  const cost = nano(billing.cost_usd ?? '')
  if (billing.status === 'released') {
    return entry || cost !== 0n ? [`${name} was released, and cost ${billing.cost_usd}`] : []
  }
  if (billing.status !== 'settled') return [`${name} is ${billing.status}`]
  if (!entry) return [`${name} was settled, and has no entry`]
  const faults: string[] = []
  if (nano(entry.amount_usd) !== cost)
    faults.push(`${name} cost ${billing.cost_usd}; its entry says ${entry.amount_usd}`)
  if (cost > nano(billing.hold_usd)) faults.push(`${name} cost more than was held for it`)
  if (status !== 'completed' && status !== 'canceled') faults.push(`${name} was charged`)
  return faults
}

function checkLine(line: Line, job: Job | undefined): string[] {
  const { kind, outcome, job_id, cost_usd, price_usd } = line
  const name = `${kind} (${outcome}) of job ${job_id}`
  // Refused before there was a job, or lost before its name was heard.
  if (job_id === '') return outcome === 'failure' || outcome === 'lost' ? [] : [`${name}: the answer names no job`]
  if (!job) return outcome === 'lost' ? [] : [`${name}: there is no such job`]
  const { status, billing } = job
  const faults: string[] = []
  if (outcome === 'success') {
    if (status !== 'completed') faults.push(`${name}: the job is ${status}`)
    if (cost_usd !== billing.cost_usd) faults.push(`${name}: told ${cost_usd}, charged ${billing.cost_usd}`)
  }
  if (outcome === 'failure' && billing.status !== 'released') faults.push(`${name}: charged ${billing.cost_usd}`)
  if (status === 'completed' && price_usd !== undefined && billing.cost_usd !== price_usd)
    faults.push(`${name}: the price is ${price_usd}, charged ${billing.cost_usd}`)
  return faults
}

/** Answers that were queued or left must be readable: a few of them are fetched. */
export async function checkOutputs(caller: Api, journal: Line[], most: number): Promise<string[]> {
  const faults: string[] = []
  const kept = journal.filter(({ outcome, job_id }) => job_id !== '' && (outcome === 'queued' || outcome === 'left'))
  for (const { kind, job_id } of kept.slice(-most)) {
    const { status, outputs } = await caller.json<Job>(`/v1/jobs/${job_id}`)
    if (status !== 'completed') continue
    // Whoever left as the last piece came has had it all.
    if (outputs.length === 0 && kind === 'stream, left') continue
    if (outputs.length === 0) faults.push(`${kind}: job ${job_id} is completed and has no output`)
    for (const { url, bytes } of outputs) {
      const { byteLength } = await (await caller.fetch(url)).arrayBuffer()
      if (byteLength !== bytes) faults.push(`${url} has ${byteLength} bytes of ${bytes}`)
    }
  }
  return faults
}

const nano = (amount: string): bigint => {
  const [whole = '', decimals = ''] = amount.split('.')
  return BigInt(whole || '0') * 1_000_000_000n + BigInt(decimals.padEnd(9, '0'))
}
const sum = (amounts: string[]): bigint => amounts.reduce((total, amount) => total + nano(amount), 0n)
const usd = (amount: bigint) => `${amount / 1_000_000_000n}.${(amount % 1_000_000_000n).toString().padStart(9, '0')}`
