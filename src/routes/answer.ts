// What every answer about a job carries: its id and its cost in the headers, its facts in the log line.

import { jobView } from '../flow/job_view.ts'
import type { Work } from '../flow/work.ts'
import type { Context } from '../http/context.ts'
import { formatUsd, type NanoUsd } from '../ledger/money.ts'

type JobRecord = Work['job']

/** Call as soon as the job is open: even a failure then names it. */
export function nameJob(context: Context, job: JobRecord): void {
  context.set('x-job-id', job._id)
  const { request } = context.state
  request.job_id = job._id
  request.model = job.model
}

/** Which provider served it and what it cost, for the log and the headers. */
export function tellCost(context: Context, job: JobRecord, cost: NanoUsd): void {
  const cost_usd = formatUsd(cost)
  if (!context.headerSent) context.set('x-cost-usd', cost_usd)
  const { request } = context.state
  request.cost_usd = cost_usd
  const provider = job.offers[job.offer]?.provider
  if (provider !== undefined) request.provider = provider
}

/** A JSON answer that is text already. */
export function sendJson(context: Context, text: string): void {
  context.type = 'application/json; charset=utf-8'
  context.body = text
}

/** An answer that is text of whatever kind. */
export function sendText(context: Context, { media_type, body }: { media_type: string; body: string }): void {
  context.set('content-type', media_type)
  context.body = body
}

/** 202 and the job: it is queued, and will be found under its id. */
export function accepted(context: Context, job: JobRecord): void {
  nameJob(context, job)
  context.status = 202
  context.set('location', `/v1/jobs/${job._id}`)
  context.body = jobView(job)
}

/** Whether the caller asked for the job instead of waiting for its result (RFC 7240). */
export function prefersAsync(context: Context): boolean {
  const wanted = context
    .get('prefer')
    .split(',')
    .some((preference) => preference.trim().toLowerCase() === 'respond-async')
  if (wanted) context.set('preference-applied', 'respond-async')
  return wanted
}
