// The generators of a connection by operation, typed, and what a request may consume where a provider does not say.
import {
  type Connection,
  type EmbeddingOutput,
  type EmbeddingRequest,
  type Generator,
  type ImageGenerator,
  type ImageRequest,
  type Meters,
  type ModerationOutput,
  type ModerationRequest,
  type Operation,
  ProviderError,
  type SpeechOutput,
  type SpeechRequest,
  type TranscriptionOutput,
  type TranscriptionRequest,
  type Usage,
  type VideoOutput,
  type VideoRequest,
} from '../../contract.ts'
import { PICTURE_FORMATS } from '../../media/image.ts'
import { lookUp, type Offer } from '../../registry.ts'
import { Failure } from '../failure.ts'
import type { Services } from '../services.ts'
import { fannedOut, type Pictures } from './fan_out.ts'
import { filmFacts, filmFor } from './film_shape.ts'
import { pictureFacts, pictureFor } from './picture_shape.ts'
import { speechFor } from './speech_format.ts'

export interface Kinds {
  image: { request: ImageRequest; output: Pictures }
  video: { request: VideoRequest; output: VideoOutput }
  speech: { request: SpeechRequest; output: SpeechOutput }
  transcription: { request: TranscriptionRequest; output: TranscriptionOutput }
  embedding: { request: EmbeddingRequest; output: EmbeddingOutput }
  moderation: { request: ModerationRequest; output: ModerationOutput }
}
export type GeneratorOperation = keyof Kinds
export type RequestOf<Kind extends GeneratorOperation> = Kinds[Kind]['request']
export type OutputOf<Kind extends GeneratorOperation> = Kinds[Kind]['output']
export type GeneratorOf<Kind extends GeneratorOperation> = Generator<RequestOf<Kind>, OutputOf<Kind>>

export const isGeneratorOperation = (operation: Operation): operation is GeneratorOperation => operation !== 'chat'

/** The registry has checked that an offer does what its price file says; a job may have outlived its provider's key. */
export function generatorOf<Kind extends GeneratorOperation>(
  connection: Connection,
  operation: Kind,
): GeneratorOf<Kind> {
  const generator = connection[operation] as GeneratorOf<Kind> | undefined
  if (!generator) throw new ProviderError('unavailable', 'The provider of this job is not configured at the moment.')
  if (operation === 'image') return fannedOut(generator as ImageGenerator) as GeneratorOf<Kind>
  return generator
}

/** An upper bound of what the offer may consume, with the facts that choose its rate. Throws Failure or ProviderError. */
export function estimateUsage<Kind extends GeneratorOperation>(
  offer: Offer,
  operation: Kind,
  request: RequestOf<Kind>,
): Usage {
  const generator = generatorOf(offer.connection, operation)
  const shaped = shapedFor(offer, operation, request)
  checkLimits(offer, { ...request, ...shaped })
  if (!generator.takes_extra) checkOwnFormat(offer, request)
  checkTaken(offer, operation, generator, shaped)
  const facts = requestFacts(offer, operation, shaped)
  const usage = generator.estimate?.(shaped, offer.upstream, offer.options) ?? {
    meters: defaultMeters(operation, shaped),
    source: 'estimated' as const,
  }
  return { ...usage, attributes: { ...facts, ...usage.attributes } }
}

/** The request in the terms that the offer's generator knows: sizes for ratios, a format that it makes. Throws Failure. */
export function shapedFor<Kind extends GeneratorOperation>(
  { model, connection, limits, options }: Pick<Offer, 'model' | 'connection' | 'limits' | 'options'>,
  operation: Kind,
  request: RequestOf<Kind>,
): RequestOf<Kind> {
  const { takes = [], formats, takes_extra } = generatorOf(connection, operation)
  if (operation === 'image')
    return pictureFor({ model, limits, takes, takes_extra }, request as ImageRequest) as RequestOf<Kind>
  if (operation === 'video') return filmFor({ model, limits, takes }, request as VideoRequest) as RequestOf<Kind>
  if (operation !== 'speech') return request
  const speaker = { model, formats: typeof formats === 'function' ? formats(options) : formats }
  return speechFor(speaker, request as SpeechRequest) as RequestOf<Kind>
}

/** Fields that the contract marks "where taken". */
const WHERE_TAKEN: Partial<Record<GeneratorOperation, readonly string[]>> = {
  image: ['aspect_ratio', 'resolution', 'negative_prompt', 'seed'],
  video: [
    'change',
    'first_frame',
    'last_frame',
    'references',
    'aspect_ratio',
    'resolution',
    'audio',
    'negative_prompt',
    'seed',
  ],
  transcription: ['speakers', 'known_speakers', 'words'],
}
/** What callers call them, where that differs. */
const CALLERS_NAMES: Record<string, string> = {
  first_frame: 'input_reference',
  speakers: 'response_format',
  known_speakers: 'known_speaker_names',
  words: 'timestamp_granularities',
}

function checkTaken({ model }: Offer, operation: Operation, { takes }: { takes?: readonly string[] }, request: object) {
  const names = isGeneratorOperation(operation) ? WHERE_TAKEN[operation] : undefined
  const refused = names?.find((name) => name in request && !takes?.includes(name))
  if (refused === undefined) return
  if (refused === 'change') {
    const message = `The provider of ${model} cannot change a video that is done. Send a new POST /v1/videos with the whole prompt.`
    throw new Failure(400, 'unsupported_operation', message, { param: 'id' })
  }
  const param = CALLERS_NAMES[refused] ?? refused
  const value = refused === 'speakers' ? " 'diarized_json'" : refused === 'words' ? " 'word'" : ''
  throw new Failure(400, 'unsupported_parameter', `${model} does not take '${param}'${value}.`, { param })
}

function requestFacts({ limits }: Offer, operation: Operation, request: object): Record<string, string> {
  if (operation === 'video') return filmFacts({ limits }, request as VideoRequest)
  if (operation === 'image') return pictureFacts(request as ImageRequest)
  const facts: Record<string, string> = {}
  for (const name of ['size', 'quality', 'resolution'] as const) {
    const value = (request as Record<string, unknown>)[name]
    if (typeof value === 'string') facts[name] = value
  }
  return facts
}

function defaultMeters(operation: GeneratorOperation, request: object): Meters {
  const fields = request as Record<string, unknown>
  const bytes = (value: unknown) => Buffer.byteLength(typeof value === 'string' ? value : JSON.stringify(value))
  switch (operation) {
    case 'image':
      return { images: Number(fields.n), requests: 1 }
    case 'video':
      return { video_seconds: Number(fields.seconds), videos: 1, requests: 1 }
    case 'speech':
      return { characters: [...String(fields.input)].length, requests: 1 }
    case 'transcription':
      return { audio_seconds: Number(fields.seconds), requests: 1 }
    case 'embedding':
    case 'moderation':
      return { input_tokens: bytes(fields.input), requests: 1 }
  }
}

/** Fields that say for whom the work is done, or what is said otherwise as well (`words`), and change nothing about it. */
const BOOKKEEPING = new Set(['user', 'safety_identifier', 'timestamp_granularities'])
/** What we write ourselves from a transcript and its times. */
const TRANSCRIPT_FORMATS = ['json', 'text', 'srt', 'verbose_json', 'vtt']

/** What only a provider of OpenAI's own format could understand: nothing that a caller asks for is dropped in silence. */
function checkOwnFormat({ model }: Offer, request: object): void {
  const { extra, task, format, speakers, output_format } = request as Partial<TranscriptionRequest & ImageRequest>
  const unknown = Object.entries(extra ?? {})
    .filter(([name, value]) => !BOOKKEEPING.has(name) && !(name === 'chunking_strategy' && value === 'auto'))
    .map(([name]) => name)
  const [first] = unknown
  if (first !== undefined) {
    const names = unknown.map((name) => `'${name.slice(0, 50)}'`).join(', ')
    throw new Failure(400, 'unknown_parameter', `The provider of ${model} does not understand ${names}.`, {
      param: first.slice(0, 50),
    })
  }
  if (output_format !== undefined && !PICTURE_FORMATS.some((each) => each === output_format)) {
    throw new Failure(400, 'invalid_value', `${model} makes ${PICTURE_FORMATS.join(', ')}.`, { param: 'output_format' })
  }
  if (task === undefined || format === undefined || speakers || TRANSCRIPT_FORMATS.includes(format)) return
  throw new Failure(400, 'invalid_value', `${model} answers as ${TRANSCRIPT_FORMATS.join(', ')}.`, {
    param: 'response_format',
  })
}

/** The length of a film where the caller names none: the first that the model makes, else OpenAI's own default. */
export function defaultSeconds(services: Services, model: string): number {
  const found = lookUp(services.registry(), model, 'video')
  return (found.found ? found.offers[0]?.limits.seconds?.[0] : undefined) ?? 4
}

/** The limits of a price file: refused here, before any hold. */
function checkLimits({ model, limits }: Offer, request: object): void {
  const { n, seconds, size, quality, resolution, aspect_ratio, input, references } = request as Record<string, unknown>
  // A film changed into another is as long as it is.
  const is_remix = (request as Partial<VideoRequest>).change?.mode === 'remix'
  for (const [param, asked, allowed] of [
    ['seconds', is_remix ? undefined : seconds, limits.seconds],
    ['size', size, limits.size],
    ['quality', quality, limits.quality],
    ['resolution', resolution, limits.resolution],
    ['aspect_ratio', aspect_ratio, limits.aspect_ratio],
  ] as const) {
    if (!allowed || asked === undefined || allowed.map(String).includes(String(asked))) continue
    const message = `${model} takes '${param}' ${allowed.join(', ')}, not ${String(asked).slice(0, 50)}.`
    throw new Failure(400, 'invalid_value', message, { param })
  }
  for (const [param, asked, most, unit] of [
    ['n', Number(n ?? 0), limits.n, 'at once'],
    ['input', typeof input === 'string' ? [...input].length : 0, limits.characters, 'characters'],
    ['input', Array.isArray(input) ? input.length : 0, limits.inputs, 'inputs'],
    ['file', Number(seconds ?? 0), limits.audio_seconds, 'seconds of sound'],
    ['references', Array.isArray(references) ? references.length : 0, limits.references, 'references'],
  ] as const) {
    if (most === undefined || asked <= most) continue
    throw new Failure(400, 'invalid_value', `${model} takes at most ${most} ${unit}; this is ${asked}.`, { param })
  }
}
