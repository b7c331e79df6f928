// /v1/jobs: every piece of work of the account, whatever its kind: list, look, watch, fetch, cancel, delete.
import { Readable } from 'node:stream'
import { z } from 'zod'
import { OPERATIONS } from '../contract.ts'
import { Failure } from '../flow/failure.ts'
import { jobView } from '../flow/job_view.ts'
import { cancelJob, deleteJob, findJob, jobChanges, listJobs } from '../flow/jobs.ts'
import { signedOutputPath } from '../flow/media/signed_outputs.ts'
import { THUMBNAIL_EDGES, thumbnail } from '../flow/media/thumbnails.ts'
import type { Services } from '../flow/services.ts'
import { clientSignal } from '../http/abort.ts'
import type { ApiRouter, RouteContext } from '../http/context.ts'
import { sendFile } from '../http/download.ts'
import { streamBody } from '../http/sse.ts'
import { listOf, pageQuery, readQuery } from './list.ts'

const thumbnailQuery = z.object({
  thumbnail: z.enum(THUMBNAIL_EDGES, { error: `must be one of ${THUMBNAIL_EDGES.join(', ')} pixels` }),
})
const query = z.strictObject({
  ...pageQuery,
  operation: z.enum(OPERATIONS).optional(),
  model: z.string().max(200).optional(),
  status: z.enum(['queued', 'in_progress', 'completed', 'failed', 'canceled', 'expired']).optional(),
})

export function jobRoutes(router: ApiRouter, services: Services): void {
  const show = ownerView(services)
  router.get('/v1/jobs', async (context) => {
    const { operation, model, status, ...page } = readQuery(context, query)
    const { account_id } = context.state.caller
    const filter = { ...(operation && { operation }), ...(model !== undefined && { model }), ...(status && { status }) }
    const { jobs, has_more } = await listJobs(services, { account_id, ...filter, ...page })
    context.body = listOf(jobs.map(show), has_more)
  })
  router.get('/v1/jobs/:id', async (context) => {
    context.body = show(await ownJob(services, context))
  })
  router.get('/v1/jobs/:id/events', async (context) => {
    await ownJob(services, context)
    await streamBody(context, events(services, context))
  })
  router.get('/v1/jobs/:id/outputs/:n', async (context) => {
    await sendOutput(services, context, await ownJob(services, context))
  })
  router.post('/v1/jobs/:id/cancel', async (context) => {
    context.body = show(await cancelJob(services, context.state.caller.account_id, idOf(context)))
  })
  router.delete('/v1/jobs/:id', async (context) => {
    const id = idOf(context)
    await deleteJob(services, context.state.caller.account_id, id)
    context.body = { id, object: 'job.deleted', deleted: true }
  })
}

const idOf = (context: RouteContext): string => String(context.params.id)

const ownJob = (services: Services, context: RouteContext) =>
  findJob(services, context.state.caller.account_id, idOf(context))

/** One event for each change, named after the status, the whole job as its data; the last one ends the stream. */
async function* events(services: Services, context: RouteContext) {
  const show = ownerView(services)
  for await (const job of jobChanges(services, context.state.caller.account_id, idOf(context), clientSignal(context))) {
    const view = show(job)
    yield `event: job.${String(view.status)}\ndata: ${JSON.stringify(view)}\n\n`
  }
}

type Job = Awaited<ReturnType<typeof findJob>>

/** With addresses that work without a key for a while. */
const ownerView = (services: Services) => (job: Job) => jobView(job, (index) => signedOutputPath(services, job, index))

/** Throws Failure 404 and 409. */
export async function sendOutput(services: Services, context: RouteContext, job: Job): Promise<void> {
  const { n } = context.params
  const file = /^\d{1,3}$/.test(String(n)) ? job.outputs[Number(n)] : undefined
  if (!file && !job.decision)
    throw new Failure(409, 'job_not_finished', 'The job has no outputs yet. Wait until its status is completed.', {
      param: 'id',
    })
  if (!file)
    throw new Failure(404, 'output_not_found', `The job has no output ${String(n)}; it has ${job.outputs.length}.`, {
      param: 'n',
    })
  if (file.key === null)
    throw new Failure(404, 'output_expired', 'This output was removed when its time was over.', { param: 'n' })
  if (context.query.thumbnail !== undefined) return sendThumbnail(services, context, file)
  const { media_type, bytes, sha256 } = file
  await sendFile(context, services.storage, file.key, { media_type, bytes, sha256 })
}

/** A small WebP of a picture, found in every cache under its size. */
async function sendThumbnail(services: Services, context: RouteContext, file: Job['outputs'][number]): Promise<void> {
  const { thumbnail: edge } = thumbnailQuery.parse({ ...context.query })
  const made = await thumbnail(services.storage, file, Number(edge))
  const memory = {
    open: async (_key: string, { start, end }: { start: number; end?: number } = { start: 0 }) => ({
      body: Readable.from([made.subarray(start, end === undefined ? undefined : end + 1)]),
      bytes: made.length,
    }),
  }
  const facts = { media_type: 'image/webp', bytes: made.length, sha256: `${file.sha256}-${edge}` }
  await sendFile(context, memory, file.key ?? '', facts)
}
