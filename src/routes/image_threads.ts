// /v1/images/threads: a picture, and its changes in words, one after the other.
import { z } from 'zod'
import {
  beginThread,
  beginTurn,
  deleteThread,
  endTurn,
  findThread,
  lastPicture,
  listThreads,
  type Turn,
  threadViews,
  turnBody,
} from '../flow/media/threads.ts'
import type { Services } from '../flow/services.ts'
import { clientSignal } from '../http/abort.ts'
import type { ApiRouter, Context, RouteContext } from '../http/context.ts'
import { readImageRequest } from '../protocols/openai-media/image_request.ts'
import { listOf, pageQuery, readQuery } from './list.ts'
import { answerImages, type ImageBody, readImageBody, withPictures } from './serve_images.ts'

const listQuery = z.strictObject(pageQuery)
/** Which of the last turn's pictures is changed; a form has text. */
const outputIndex = z.object({ output: z.coerce.number().int().min(0).max(9).default(0) })

export function imageThreadRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/images/threads', (context) => create(services, context))
  router.get('/v1/images/threads', async (context) => {
    const { account_id } = context.state.caller
    const { threads, has_more } = await listThreads(services, account_id, readQuery(context, listQuery))
    context.body = listOf(await threadViews(services, threads), has_more)
  })
  router.post('/v1/images/threads/:id', (context) => goOn(services, context))
  router.get('/v1/images/threads/:id', async (context) => {
    const thread = await findThread(services, context.state.caller.account_id, idOf(context))
    const [view] = await threadViews(services, [thread])
    context.body = view
  })
  router.delete('/v1/images/threads/:id', async (context) => {
    const id = idOf(context)
    await deleteThread(services, context.state.caller.account_id, id)
    context.body = { id, object: 'image.thread.deleted', deleted: true }
  })
}

const idOf = (context: RouteContext): string => String(context.params.id)

async function create(services: Services, context: Context): Promise<void> {
  const body = await readImageBody(context, services)
  // What is wrong with it is said before there is a thread.
  readImageRequest(body.fields)
  const turn = await beginThread(services, context.state.caller, body.fields)
  await take(services, context, turn, body)
}

async function goOn(services: Services, context: RouteContext): Promise<void> {
  const { account_id } = context.state.caller
  const { fields, ...body } = await readImageBody(context, services)
  const { output: asked, ...words } = fields
  const { output } = outputIndex.parse(asked === undefined || asked === null ? {} : { output: asked })
  const before = await findThread(services, account_id, idOf(context))
  readImageRequest(turnBody(before, words))
  const turn = await beginTurn(services, context.state.caller, idOf(context), words)
  await take(services, context, turn, { ...body, fields: turnBody(turn.thread, words) }, output)
}

/** One turn, whatever becomes of it. */
async function take(services: Services, context: Context, turn: Turn, body: ImageBody, output = 0): Promise<void> {
  const { thread, job_id: id } = turn
  const gone = clientSignal(context)
  const more = { thread_id: thread._id }
  context.set('x-thread-id', thread._id)
  try {
    const last = await lastPicture(services, thread, output)
    const pictures = { ...body, images: [...(last ? [last] : []), ...body.images] }
    const call = await withPictures(readImageRequest(body.fields), pictures, gone)
    const plan = { endpoint: 'images.threads', extensions: body.extensions, gone, id, keep_files: true, more } as const
    await answerImages(services, context, call, plan)
  } catch (error) {
    await endTurn(services, turn, true).catch((cause: unknown) =>
      services.log.warn({ thread: thread._id, error: cause }, 'A turn could not be ended; whoever looks next does it.'),
    )
    throw error
  }
  await endTurn(services, turn, false)
}
