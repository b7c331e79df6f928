// POST /v1/images/generations and /v1/images/edits: pictures as JSON, as a stream of events, as addresses, or as a job.
import type { Asset, ImageRequest } from '../contract.ts'
import { runImage } from '../flow/forward_image.ts'
import type { Generated } from '../flow/generate.ts'
import { streamImages } from '../flow/image_stream.ts'
import type { Services } from '../flow/services.ts'
import { signedOutputPath } from '../flow/signed_outputs.ts'
import { submitGeneration } from '../flow/submit.ts'
import { takeUpload } from '../flow/uploads.ts'
import { clientSignal } from '../http/abort.ts'
import { readJson } from '../http/bodies.ts'
import { sendChunks } from '../http/chunks.ts'
import type { ApiRouter, Context } from '../http/context.ts'
import { streamBody } from '../http/sse.ts'
import { shortUsd } from '../ledger/money.ts'
import { imageAnswer, type ShownImage } from '../protocols/openai-media/image_answer.ts'
import { IMAGE_FORM, type ImageCall, readImageRequest, takeImages } from '../protocols/openai-media/image_request.ts'
import { WireError } from '../protocols/wire_error.ts'
import { accepted, nameJob, prefersAsync, sendJson, tellCost } from './answer.ts'
import { type Extensions, takeExtensions } from './extensions.ts'
import { filesByField, readMediaBody } from './media_body.ts'

const IMAGES_MAX = 16
const IMAGE_BYTES_MAX = 50 * 2 ** 20

export function imageRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/images/generations', (context) => generate(services, context))
  router.post('/v1/images/edits', (context) => edit(services, context))
}

interface Plan {
  endpoint: 'images.generations' | 'images.edits'
  extensions: Extensions
  gone: AbortSignal
}

async function generate(services: Services, context: Context): Promise<void> {
  const { value } = await readJson(context.req, services.config.body_bytes_max)
  const { body, extensions } = takeExtensions(value)
  const plan = { endpoint: 'images.generations', extensions, gone: clientSignal(context) } as const
  await answer(services, context, readImageRequest(body), plan)
}

async function edit(services: Services, context: Context): Promise<void> {
  const { fields, files, extensions } = await readMediaBody(context, services, IMAGE_FORM)
  const uploaded = filesByField(files, { image: IMAGES_MAX, mask: 1 })
  const { rest, images, mask = uploaded.mask[0] } = takeImages(fields)
  const call = readImageRequest(rest)
  const gone = clientSignal(context)
  const pictures = await takePictures([...uploaded.image, ...images], 'image', gone)
  const [masking] = mask ? await takePictures([mask], 'mask', gone) : []
  const request: ImageRequest = { ...call.request, images: pictures, ...(masking && { mask: masking }) }
  await answer(services, context, { ...call, request }, { endpoint: 'images.edits', extensions, gone })
}

function takePictures(assets: Asset[], param: string, signal: AbortSignal): Promise<Asset[]> {
  if (assets.length === 0) throw new WireError("'image' is required.", 'image', 'missing_required_parameter')
  if (assets.length > IMAGES_MAX) throw new WireError(`'image' takes at most ${IMAGES_MAX} pictures.`, 'image')
  const options = { param, kinds: ['image' as const], max_bytes: IMAGE_BYTES_MAX, signal }
  return Promise.all(assets.map((asset) => takeUpload(asset, options)))
}

async function answer(services: Services, context: Context, call: ImageCall, plan: Plan): Promise<void> {
  const { request, response_format, stream } = call
  const {
    caller,
    request: { id: request_id },
  } = context.state
  const { endpoint, extensions, gone } = plan
  const { output_format, output_compression } = request
  const echo = {
    ...(output_format !== undefined && { output_format }),
    ...(output_compression !== undefined && { output_compression }),
  }
  const submission = { ...extensions, endpoint, request_id, echo }
  if (prefersAsync(context)) {
    return accepted(context, await submitGeneration(services, caller, 'image', request, submission))
  }
  const run = {
    ...submission,
    operation: 'image' as const,
    request,
    gone,
    keep_files: response_format === 'url',
    opened: (job: Parameters<typeof nameJob>[1]) => nameJob(context, job),
  }
  if (stream) {
    const charged = (work: Generated<'image'>['work'], cost: bigint) => tellCost(context, work.job, cost)
    return streamBody(context, streamImages(services, caller, { ...run, edit: endpoint === 'images.edits', charged }))
  }
  const result = await runImage(services, caller, run)
  tellCost(context, result.work.job, result.cost)
  if (result.kind === 'passed') return sendChunks(context, result.body, result.media_type)
  sendJson(context, madeAnswer(services, result, call, services.config.public_url ?? originOf(context)))
}

/** As the caller named us; saneHost has looked at it. (Koa's own `origin` repeats the caller's Origin header, 3.3.0.) */
const originOf = ({ protocol, host }: Context): string => `${protocol}://${host}`

function madeAnswer(
  services: Services,
  made: Generated<'image'>,
  { request, response_format }: ImageCall,
  origin: string,
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
  })
}
