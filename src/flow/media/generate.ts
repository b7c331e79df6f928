// Everything but chat, while the caller waits: admitted, held, tried, collected, charged. A caller who leaves changes
// nothing but that the files are kept.
import { setTimeout as pause } from 'node:timers/promises'
import { type Asset, type Json, type Progress, ProviderError, type Usage, type VideoOutput } from '../../contract.ts'
import type { NanoUsd } from '../../ledger/money.ts'
import type { JobOutput } from '../../store/jobs.ts'
import { type Admitted, admit } from '../admit.ts'
import { attemptOffers, callFor, endAttempt, reasonOf } from '../attempts.ts'
import { type JobPlan, openJob } from '../open.ts'
import type { Caller, Services } from '../services.ts'
import { release, settle } from '../settle.ts'
import { canceled, type Work } from '../work.ts'
import { cancelUpstream, pollTurn, slowDownFor } from '../worker/upstream.ts'
import type { Pictures } from './fan_out.ts'
import { estimateUsage, type GeneratorOperation, generatorOf, type OutputOf, type RequestOf } from './generators.ts'
import { keepIfLost } from './keep_late.ts'
import { outputText } from './output_text.ts'
import { type Bytes, fetchOutput, filesOf, keepOutputs } from './outputs.ts'
import { preparedFor } from './prepare.ts'
import { keepStills } from './stills.ts'

/** How long the provider may take over work that a caller waits for, and over work that is polled. */
export const DEADLINE_MS: Record<GeneratorOperation, number> = {
  image: 15 * 60_000,
  video: 60 * 60_000,
  speech: 10 * 60_000,
  transcription: 15 * 60_000,
  embedding: 5 * 60_000,
  moderation: 60_000,
}

export interface GenerationRun<Kind extends GeneratorOperation>
  extends Pick<JobPlan, 'endpoint' | 'request_id' | 'metadata' | 'echo' | 'opened' | 'id' | 'webhook_url'> {
  operation: Kind
  request: RequestOf<Kind>
  max_cost_usd?: string
  /** Aborts when the caller hangs up: the work goes on, and its files are kept. */
  gone: AbortSignal
  /** The caller wants addresses, not bytes. */
  keep_files: boolean
  /** Hands unfinished pictures to a caller who watches. */
  partial?: (image: Asset, index: number) => void
}

export interface Generated<Kind extends GeneratorOperation> {
  work: Work
  cost: NanoUsd
  output: OutputOf<Kind>
  usage: Usage
  /** The output's files, in order. */
  files: Bytes[]
  /** The same files in storage, where they were kept. */
  outputs: JobOutput[]
}

/** Throws Failure and ProviderError; nothing is charged then. */
export async function runGeneration<Kind extends GeneratorOperation>(
  services: Services,
  caller: Caller,
  run: GenerationRun<Kind>,
): Promise<Generated<Kind>> {
  const { operation, request } = run
  const work = await openGeneration(services, caller, run)
  return orRelease(services, work, async () => {
    const progress = await begin(services, work, operation, request, run.partial)
    return completeGeneration(services, work, run, progress)
  })
}

/** Admitted, written down and held, and not begun. Throws Failure and ProviderError. */
export async function openGeneration<Kind extends GeneratorOperation>(
  services: Services,
  caller: Caller,
  run: GenerationRun<Kind>,
): Promise<Work> {
  const { operation, request, endpoint, request_id, metadata, echo, opened, max_cost_usd, webhook_url, id } = run
  const admitted = admitGeneration(services, caller, operation, request, max_cost_usd)
  const work = await openJob(services, caller, admitted, {
    operation,
    endpoint,
    request_id,
    ...(metadata && { metadata }),
    ...(echo && { echo }),
    ...(opened && { opened }),
    ...(id !== undefined && { id }),
    ...(webhook_url !== undefined && { webhook_url }),
    mode: 'sync',
    deadline_ms: DEADLINE_MS[operation],
  })
  work.job.started_at = new Date()
  return work
}

/** Which offers may serve it and what it may cost. Throws Failure and ProviderError. */
export function admitGeneration<Kind extends GeneratorOperation>(
  services: Services,
  caller: Caller,
  operation: Kind,
  request: RequestOf<Kind>,
  max_cost_usd: string | undefined,
): Admitted {
  return admit(services, caller, {
    operation,
    model: request.model,
    ...(max_cost_usd !== undefined && { max_cost_usd }),
    estimate: (offer) => estimateUsage(offer, operation, request),
  })
}

/** Runs open work; whatever it throws gives the hold back, and is the answer. */
export async function orRelease<Result>(services: Services, work: Work, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    if (!work.decided) await release(services, work, reasonOf(work, error), 'failed')
    throw reasonOf(work, error)
  }
}

/** From the provider's first word to the charge. */
export async function completeGeneration<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  run: Pick<GenerationRun<Kind>, 'operation' | 'keep_files' | 'gone'>,
  first: Progress<OutputOf<Kind>>,
): Promise<Generated<Kind>> {
  const { operation, gone } = run
  const progress = await waitFor(services, work, operation, first)
  const made = await finishGeneration(services, work, operation, progress, () => run.keep_files || gone.aborted)
  const { output, usage, files, outputs } = made
  if (outputs.length === 0)
    keepIfLost(services, work.job, gone, () =>
      keepOutputs(services, work.job, files, () => outputText(operation, { output, usage, job: work.job })),
    )
  return made
}

/** Starts the work at the first offer that takes it. */
export function begin<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
  request: RequestOf<Kind>,
  partial?: (image: Asset, index: number) => void,
): Promise<Progress<OutputOf<Kind>>> {
  return attemptOffers(services, work, async ({ offer }, call) => {
    const generator = generatorOf(offer.connection, operation)
    const prepared = await preparedFor(offer, operation, request)
    return generator.start(prepared, partial ? { ...call, partial } : call)
  })
}

const POLL_AFTER_MS = 1000
/** A poll that fails says nothing about the work; so many in a row say something about the provider. */
const MISSES_MAX = 5

/** Polls work that the provider does not do at once, until it is done. Throws its failure; what is given up is told to stop. */
async function waitFor<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
  first: Progress<OutputOf<Kind>>,
) {
  let progress = first
  let misses = 0
  while (progress.status === 'pending') {
    work.job.ref = progress.ref
    try {
      await pause(progress.poll_after_ms ?? POLL_AFTER_MS, undefined, { signal: work.abort.signal })
      await pollTurn(services, work)
      progress = await pollProvider(services, work, operation, progress.ref)
      misses = 0
    } catch (error) {
      misses++
      if (error instanceof ProviderError) slowDownFor(services, work.job, error)
      if (error instanceof ProviderError && misses < MISSES_MAX && !work.abort.signal.aborted) continue
      await cancelUpstream(services, work, operation)
      throw error
    }
  }
  if (progress.status === 'failed') throw progress.error
  return progress
}

/** One look at work under way at the offer that took it. */
export async function pollProvider<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
  ref: Json,
): Promise<Progress<OutputOf<Kind>>> {
  const admitted = work.offers[work.job.offer]
  if (!admitted) throw new Error(`Job ${work.job._id} has lost its offer.`)
  const generator = generatorOf(admitted.offer.connection, operation)
  if (!generator.poll) throw new Error(`${admitted.offer.provider} answered 'pending' and cannot be polled.`)
  return generator.poll(ref, callFor(services, work, admitted))
}

/** Files first, then the charge: a result that could not be brought here is not charged. */
export async function finishGeneration<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
  { output, usage }: Extract<Progress<OutputOf<Kind>>, { status: 'done' }>,
  keep: () => boolean,
): Promise<Generated<Kind>> {
  const hosts = services.registry().hosts(work.offers[work.job.offer]?.offer.provider ?? '')
  const files = await Promise.all(
    filesOf(operation, output).map((asset) => fetchOutput(asset, work.job.echo, work.abort.signal, hosts)),
  )
  const text = () => outputText(operation, { output, usage, job: work.job })
  const outputs = keep() ? await keepOutputs(services, work.job, files, text) : []
  if (operation === 'video') outputs.push(...(await keepStills(services, work, output as VideoOutput, hosts)))
  const last = work.job.attempts.at(-1)
  if (last) endAttempt(last, 'completed')
  const { partial } = output as Pictures
  const cost = await settle(services, work, { usage, outputs, ...(partial && { partial: partial as unknown as Json }) })
  if (cost === undefined) throw reasonOf(work, canceled())
  return { work, cost, output, usage, files, outputs }
}
