// Pictures over OpenAI's images API: made, edited, passed through as they come.
import type { ImageEditParams, ImageGenerateParams } from 'openai/resources/images'
import { z } from 'zod'
import {
  type Asset,
  type Call,
  done,
  type ImageGenerator,
  type ImageOutput,
  type ImageRequest,
  type JsonObject,
  ProviderError,
  type Usage,
} from '../../contract.ts'
import { readAnswer, unreadable } from '../faults.ts'
import { count, record } from '../lenient.ts'
import { sendOrThrow } from '../send.ts'
import { callOptions, fieldsOf, type MediaServer, mediaClient, upload, viaSdk } from './client.ts'
import { encodeForm } from './form.ts'
import { imageMeters } from './image_tokens.ts'

const Answer = z.looseObject({
  data: z
    .array(
      z.looseObject({
        b64_json: z.string().nullish(),
        url: z.string().nullish(),
        revised_prompt: z.string().nullish(),
      }),
    )
    .min(1),
  output_format: z.string().nullish(),
  usage: z.looseObject({}).nullish(),
})

export function openaiImage(server: MediaServer): ImageGenerator {
  const sdk = mediaClient(server)
  const base_url = server.base_url.replace(/\/+$/, '')

  async function start(request: ImageRequest, call: Call) {
    const watched = call.partial !== undefined && (request.partial_images ?? 0) > 0
    const fields = {
      ...imageFields(request, call),
      ...(watched ? { stream: true, partial_images: request.partial_images } : {}),
    }
    const answer = await viaSdk(server.provider, call, async () => {
      const made = request.images?.length
        ? sdk.images.edit({ ...fields, ...(await uploads(request)) } as ImageEditParams, callOptions(call))
        : sdk.images.generate(fields as unknown as ImageGenerateParams, callOptions(call))
      const result: unknown = await made
      return watched ? readStream(result as AsyncIterable<unknown>, call) : result
    })
    return read(answer, request)
  }

  function read(answer: unknown, request: ImageRequest) {
    const { data, output_format, usage } = readAnswer(Answer, answer, server.provider)
    const media_type = `image/${output_format ?? request.output_format ?? 'png'}`
    const images = data.map((item) => ({
      image: assetOf(item, media_type, server.provider),
      ...(item.revised_prompt ? { revised_prompt: item.revised_prompt } : {}),
    }))
    const output: ImageOutput = { images, answer: answer as JsonObject }
    return done(output, readImageUsage(usage, images.length))
  }

  async function forward(request: ImageRequest, call: Call) {
    const edit = request.images?.length
    const { stream, ...more } = request.extra ?? {}
    const fields: JsonObject = {
      ...imageFields({ ...request, extra: more }, call),
      ...(stream === true ? { stream } : {}),
      ...(stream === true && request.partial_images !== undefined ? { partial_images: request.partial_images } : {}),
    }
    const { body, content_type } = edit
      ? await encodeForm(fields, await uploads(request))
      : { body: JSON.stringify(fields), content_type: 'application/json' }
    const headers = {
      ...(server.api_key ? { authorization: `Bearer ${server.api_key}` } : {}),
      ...server.headers,
      'content-type': content_type,
      'idempotency-key': call.job,
    }
    const url = `${base_url}/images/${edit ? 'edits' : 'generations'}`
    return sendOrThrow(server.fetch, { method: 'POST', url, headers, body, signal: call.signal }, server.provider)
  }

  return {
    start,
    forward,
    takes_extra: true,
    forwardedUsage: (usage, request) => readImageUsage(usage, request.n),
    estimate: (request, upstream) => ({ meters: imageMeters(request, upstream), source: 'estimated' }),
  }
}

function imageFields(request: ImageRequest, call: Call): JsonObject {
  const { prompt, n, size, quality, background, output_format, output_compression, extra } = request
  const fields = { model: call.upstream, prompt, n, size, quality, background, output_format, output_compression }
  return fieldsOf({ ...fields, stream: undefined }, withoutStream(extra))
}

function withoutStream(extra: JsonObject | undefined): JsonObject {
  const { stream: _stream, partial_images: _partial_images, ...rest } = extra ?? {}
  return rest
}

/** One picture goes under `image`, several under `image[]`, as OpenAI's own SDKs send them. */
async function uploads({ images = [], mask }: ImageRequest): Promise<{ image: File | File[]; mask?: File }> {
  const files = await Promise.all(images.map((image, index) => upload(image, `image-${index}`, 'image')))
  const [only] = files
  return {
    image: files.length === 1 && only ? only : files,
    ...(mask ? { mask: await upload(mask, 'mask', 'mask') } : {}),
  }
}

function assetOf(
  item: { b64_json?: string | null | undefined; url?: string | null | undefined },
  media_type: string,
  provider: string,
): Asset {
  if (item.b64_json) return { type: 'bytes', data: Buffer.from(item.b64_json, 'base64'), media_type }
  if (item.url) return { type: 'url', url: item.url }
  throw unreadable(provider)
}

/** Events of image_generation.* and image_edit.*: unfinished pictures are handed over, finished ones collected. */
async function readStream(events: AsyncIterable<unknown>, call: Call): Promise<JsonObject> {
  const data: JsonObject[] = []
  let last: Record<string, unknown> = {}
  let usage: JsonObject | undefined
  for await (const each of events) {
    const event = record(each)
    const { type, b64_json } = event
    if (typeof type !== 'string' || typeof b64_json !== 'string') continue
    if (type.endsWith('.partial_image')) {
      const media_type = `image/${event.output_format ?? 'png'}`
      const image: Asset = { type: 'bytes', data: Buffer.from(b64_json, 'base64'), media_type }
      call.partial?.(image, count(event.partial_image_index) ?? 0)
    } else if (type.endsWith('.completed')) {
      last = event
      data.push({ b64_json })
      usage = addUsage(usage, record(event.usage))
    }
  }
  if (data.length === 0) throw new ProviderError('bad_response', 'The stream ended without a picture.')
  const { created_at, background, output_format, quality, size } = last
  return fieldsOf({ created: created_at, data, background, output_format, quality, size, usage }, undefined)
}

/** Every finished picture tells its own usage; the answer's is their sum. */
export function addUsage(sum: JsonObject | undefined, more: Record<string, unknown>): JsonObject {
  const total: JsonObject = { ...sum }
  for (const [name, value] of Object.entries(more)) {
    if (typeof value === 'number') total[name] = (count(total[name]) ?? 0) + value
    else if (typeof value === 'object') total[name] = addUsage(record(total[name]) as JsonObject, record(value))
  }
  return total
}

/** The images API's own usage object. Without one, the pictures alone are counted. */
export function readImageUsage(usage: unknown, images: number): Usage {
  const raw = record(usage)
  const input = record(raw.input_tokens_details)
  const output = record(raw.output_tokens_details)
  const input_total = count(raw.input_tokens)
  const output_total = count(raw.output_tokens)
  if (input_total === undefined || output_total === undefined) return { meters: { images }, source: 'counted' }
  const input_image = Math.min(input_total, count(input.image_tokens) ?? 0)
  const output_text = Math.min(output_total, count(output.text_tokens) ?? 0)
  return {
    meters: {
      images,
      input_tokens: input_total - input_image,
      ...(input_image ? { input_image_tokens: input_image } : {}),
      output_image_tokens: output_total - output_text,
      ...(output_text ? { output_tokens: output_text } : {}),
    },
    source: 'reported',
    raw: raw as JsonObject,
  }
}
