// What the routes of pictures share: reading a body with its pictures, and the answer as JSON, as a stream of events, as
// addresses, or as a job.
import type { Asset, ImageRequest, JsonObject } from '../contract.ts'
import { runImage } from '../flow/media/forward_image.ts'
import type { Generated } from '../flow/media/generate.ts'
import { streamImages } from '../flow/media/image_stream.ts'
import { takePictures } from '../flow/media/pictures.ts'
import { signedOutputPath } from '../flow/media/signed_outputs.ts'
import type { Services } from '../flow/services.ts'
import { submitGeneration } from '../flow/worker/submit.ts'
import { sendChunks } from '../http/chunks.ts'
import type { Context } from '../http/context.ts'
import { streamBody } from '../http/sse.ts'
import { shortUsd } from '../ledger/money.ts'
import { imageAnswer, type ShownImage } from '../protocols/openai-media/image_answer.ts'
import { IMAGE_FORM, type ImageCall, takeImages } from '../protocols/openai-media/image_request.ts'
import { WireError } from '../protocols/wire_error.ts'
import { accepted, nameJob, prefersAsync, sendJson, tellCost } from './answer.ts'
import type { Extensions } from './extensions.ts'
import { filesByField, readMediaBody } from './media_body.ts'

const IMAGES_MAX = 16

export interface ImageBody {
  /** Without pictures and extensions. */
  fields: JsonObject
  images: Asset[]
  mask?: Asset | undefined
  extensions: Extensions
}

/** JSON or a form. No address is followed here. Throws RequestError, WireError and Failure. */
export async function readImageBody(context: Context, services: Services): Promise<ImageBody> {
  const { fields, files, extensions } = await readMediaBody(context, services, IMAGE_FORM)
  return { ...pickImages(fields, files), extensions }
}

/** The pictures of a body that has been read. */
export function pickImages(
  fields: JsonObject,
  files: Parameters<typeof filesByField>[0],
): Omit<ImageBody, 'extensions'> {
  const uploaded = filesByField(files, { image: IMAGES_MAX, mask: 1 })
  const { rest, images, mask = uploaded.mask[0] } = takeImages(fields)
  const all = [...uploaded.image, ...images]
  if (all.length > IMAGES_MAX) throw new WireError(`'image' takes at most ${IMAGES_MAX} pictures.`, 'image')
  return { fields: rest, images: all, mask }
}

/** The pictures brought here and put into the request. Throws Failure. */
export async function withPictures(
  call: ImageCall,
  { images, mask }: Pick<ImageBody, 'images' | 'mask'>,
  gone: AbortSignal,
): Promise<ImageCall> {
  if (images.length === 0 && !mask) return call
  const request: ImageRequest = { ...call.request, ...(await takePictures({ images, mask }, gone)) }
  return { ...call, request }
}

export interface ImagePlan {
  endpoint: 'images.generations' | 'images.edits' | 'images.threads'
  extensions: Extensions
  gone: AbortSignal
  /** Of the job, where it has been told already. */
  id?: string
  /** The files are kept, whatever form the answer has. */
  keep_files?: boolean
  /** Beside the fields of OpenAI's answer. */
  more?: JsonObject
}

export async function answerImages(
  services: Services,
  context: Context,
  call: ImageCall,
  plan: ImagePlan,
): Promise<void> {
  const { request, response_format, stream } = call
  const {
    caller,
    request: { id: request_id },
  } = context.state
  const { endpoint, extensions, gone, id, keep_files = false, more = {} } = plan
  const submission = { ...extensions, endpoint, request_id, echo: echoOf(request), ...(id !== undefined && { id }) }
  if (prefersAsync(context)) {
    accepted(context, await submitGeneration(services, caller, 'image', request, submission))
    context.body = { ...(context.body as object), ...more }
    return
  }
  const run = {
    ...submission,
    operation: 'image' as const,
    request,
    gone,
    keep_files: keep_files || response_format === 'url',
    opened: (job: Parameters<typeof nameJob>[1]) => nameJob(context, job),
  }
  if (stream) {
    const charged = (work: Generated<'image'>['work'], cost: bigint) => tellCost(context, work.job, cost)
    const edit = request.images !== undefined
    return streamBody(context, streamImages(services, caller, { ...run, edit, charged }))
  }
  const result = await runImage(services, caller, run)
  tellCost(context, result.work.job, result.cost)
  if (result.kind === 'passed') return sendChunks(context, result.body, result.media_type)
  const { partial } = result.output
  const told = { ...(partial && { partial: { ...partial } }), ...more }
  sendJson(context, madeAnswer(services, result, call, { origin: originFor(services, context), more: told }))
}

/** What is made of the pictures once they are here. */
const echoOf = ({ output_format, output_compression }: ImageRequest): JsonObject => ({
  ...(output_format !== undefined && { output_format }),
  ...(output_compression !== undefined && { output_compression }),
})

/** As the caller named us; saneHost has looked at it. (Koa's own `origin` repeats the caller's Origin header, 3.3.0.) */
const originFor = ({ config }: Services, { protocol, host }: Context): string =>
  config.public_url ?? `${protocol}://${host}`

function madeAnswer(
  services: Services,
  made: Generated<'image'>,
  { request, response_format }: ImageCall,
  { origin, more }: { origin: string; more: object },
): string {
  const { work, output, files, usage, cost } = made
  const images = files.map(({ data }, index): ShownImage => {
    const { revised_prompt } = output.images[index] ?? {}
    return {
      ...(response_format === 'url'
        ? { url: origin + signedOutputPath(services, work.job, index) }
        : { b64_json: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64') }),
      ...(revised_prompt !== undefined && { revised_prompt }),
    }
  })
  const made_format = files[0]?.media_type.replace('image/', '')
  return imageAnswer(images, output, {
    created: Math.floor(work.job.created_at.getTime() / 1000),
    request: { ...request, ...(made_format !== undefined && { output_format: made_format }) },
    usage,
    cost_usd: shortUsd(cost),
    more,
  })
}
