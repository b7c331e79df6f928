// The provider contract: the one file an adapter author reads. It describes what a provider can do and what passes
// between it and the router; it never knows HTTP servers, databases, accounts or prices.
import type { z } from 'zod'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

export const OPERATIONS = ['chat', 'embedding', 'image', 'video', 'speech', 'transcription', 'moderation'] as const
export type Operation = (typeof OPERATIONS)[number]

/* ---- usage: what was consumed, never what it costs --------------------------------------------------------------- */

/**
 * What can be counted. Meters are disjoint: a cached input token is counted in `cached_input_tokens` and nowhere else,
 * a reasoning token is an output token and is not counted again.
 */
export const METERS = [
  'requests',
  'input_tokens',
  'cached_input_tokens',
  'cache_write_tokens',
  'cache_write_1h_tokens',
  'input_image_tokens',
  'cached_input_image_tokens',
  'input_audio_tokens',
  'cached_input_audio_tokens',
  'output_tokens',
  'output_image_tokens',
  'output_audio_tokens',
  'output_video_tokens',
  'images',
  /** Pictures sent along, where they are billed by the piece. */
  'input_images',
  'megapixels',
  'video_seconds',
  'videos',
  'audio_seconds',
  'characters',
  'compute_seconds',
  'web_searches',
] as const
export type Meter = (typeof METERS)[number]
export type Meters = Partial<Record<Meter, number>>

export interface Usage {
  meters: Meters
  /** Facts that select a rate: resolution, quality, size, tier, audio. The core fills in those of the request. */
  attributes?: Record<string, string>
  /** 'counted': by us, because the provider said nothing. 'estimated': before the work, an upper bound. */
  source: 'reported' | 'counted' | 'estimated'
  /** The provider's own usage object, kept for audits. */
  raw?: Json
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/** A picture, sound, film or document: its bytes, or an address that the router downloads through its guard. */
export type Asset =
  | { type: 'bytes'; data: Uint8Array; media_type: string; filename?: string }
  | { type: 'url'; url: string; media_type?: string }

/* ---- errors: the kind decides everything else -------------------------------------------------------------------- */

interface ErrorRule {
  /** HTTP status and code that the caller sees. */
  status: number
  code: string
  /** Whether another try could help: never, later at the same provider, or only elsewhere. */
  retry: 'never' | 'later' | 'elsewhere'
  fault: 'caller' | 'operator' | 'provider'
}

export const ERROR_KINDS = {
  invalid_request: { status: 400, code: 'invalid_request', retry: 'never', fault: 'caller' },
  content_policy: { status: 400, code: 'content_policy_violation', retry: 'never', fault: 'caller' },
  // Our credential was refused upstream: the operator's fault, so never a 401 or 403 to the caller.
  authentication: { status: 502, code: 'provider_error', retry: 'elsewhere', fault: 'operator' },
  permission: { status: 502, code: 'provider_error', retry: 'elsewhere', fault: 'operator' },
  not_found: { status: 502, code: 'provider_error', retry: 'elsewhere', fault: 'operator' },
  quota: { status: 502, code: 'provider_error', retry: 'elsewhere', fault: 'operator' },
  rate_limit: { status: 429, code: 'rate_limit_exceeded', retry: 'later', fault: 'provider' },
  overloaded: { status: 503, code: 'no_provider_available', retry: 'later', fault: 'provider' },
  unavailable: { status: 502, code: 'provider_error', retry: 'elsewhere', fault: 'provider' },
  timeout: { status: 504, code: 'timeout', retry: 'elsewhere', fault: 'provider' },
  bad_response: { status: 502, code: 'provider_error', retry: 'elsewhere', fault: 'provider' },
  canceled: { status: 499, code: 'canceled', retry: 'never', fault: 'caller' },
  internal: { status: 500, code: 'internal_error', retry: 'never', fault: 'operator' },
} as const satisfies Record<string, ErrorRule>
export type ErrorKind = keyof typeof ERROR_KINDS

export interface ErrorDetail {
  /** The provider's HTTP status. */
  status?: number
  retry_after_ms?: number
  /** The provider's own id of the request, for its support. */
  request_id?: string
  /** The request field at fault, in the caller's words. */
  param?: string
  cause?: unknown
}

/** Every failure of a provider. `message` goes to the caller when the fault is the caller's: no secret, no address in it. */
export class ProviderError extends Error {
  override name = 'ProviderError'
  readonly kind: ErrorKind
  readonly detail: Omit<ErrorDetail, 'cause'>
  constructor(kind: ErrorKind, message: string, { cause, ...detail }: ErrorDetail = {}) {
    super(message, { cause })
    this.kind = kind
    this.detail = detail
  }
}

/* ---- chat: one canonical request, one stream of canonical events ------------------------------------------------- */

export type ContentPart =
  | { type: 'text'; text: string; citations?: Citation[]; cache?: CacheMark }
  | { type: 'refusal'; text: string }
  | { type: 'image'; image: Asset | FileReference; detail?: string; cache?: CacheMark }
  | { type: 'audio'; audio: Asset | FileReference; cache?: CacheMark }
  | { type: 'video'; video: Asset | FileReference; cache?: CacheMark }
  | { type: 'document'; document: Asset | FileReference; filename?: string; cache?: CacheMark }
  | { type: 'reasoning'; text: string; id?: string; signature?: string; encrypted?: string }
  | ({ type: 'tool_call' } & ToolCall)
  | {
      type: 'tool_result'
      call_id: string
      name?: string
      content: ContentPart[]
      is_error?: boolean
      cache?: CacheMark
    }
/** A file kept by the provider, under the provider's own id. */
export type FileReference = { type: 'file'; id: string }
export type CacheMark = { ttl?: string }
/** `arguments` is JSON text for a function and free text for a custom tool, exactly as the model wrote it. */
export type ToolCall = {
  id: string
  kind: 'function' | 'custom'
  name: string
  namespace?: string
  arguments: string
  signature?: string
}
export type Citation = { url?: string; title?: string; text?: string; start?: number; end?: number; raw?: Json }

export interface ChatMessage {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool'
  content: ContentPart[]
  name?: string
}

export type Tool =
  | {
      kind: 'function'
      name: string
      namespace?: string
      description?: string
      parameters?: JsonObject
      strict?: boolean
    }
  | { kind: 'custom'; name: string; description?: string; format?: JsonObject }
  /** A tool that the provider itself runs (web search, code), in the provider's own words. */
  | { kind: 'server'; name: string; settings: JsonObject }
export type ToolChoice =
  | { mode: 'auto' | 'none' | 'required' }
  | { mode: 'tool'; name: string }
  | { mode: 'allowed'; required: boolean; names: string[] }

export interface ChatRequest {
  model: string
  messages: ChatMessage[]
  tools?: Tool[]
  tool_choice?: ToolChoice
  parallel_tool_calls?: boolean
  /** How many answers to give; 1 if absent. */
  choices?: number
  max_output_tokens?: number
  temperature?: number
  top_p?: number
  top_k?: number
  stop?: string[]
  seed?: number
  presence_penalty?: number
  frequency_penalty?: number
  logit_bias?: Record<string, number>
  /** How many alternatives to report for each token; 0 reports the chosen one only. */
  top_logprobs?: number
  response_format?:
    | { type: 'json' }
    | { type: 'json_schema'; name: string; schema: JsonObject; strict?: boolean; description?: string }
  reasoning?: { effort?: string; budget_tokens?: number; summary?: string }
  verbosity?: string
  modalities?: string[]
  audio?: { format: string; voice: Json }
  service_tier?: string
  user?: string
  metadata?: Record<string, string>
}

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'refusal' | 'pause'

/** Deltas in order of writing, `choice` counting from 0; one `finish` a choice; `usage` last, once. */
export type ChatEvent =
  | { type: 'text'; choice: number; text: string; logprobs?: Json }
  | { type: 'refusal'; choice: number; text: string }
  | {
      type: 'reasoning'
      choice: number
      text?: string
      id?: string
      signature?: string
      encrypted?: string
      summary?: boolean
    }
  | { type: 'tool_call'; choice: number; index: number; call: Partial<ToolCall> }
  | { type: 'image'; choice: number; image: Asset }
  | { type: 'audio'; choice: number; id?: string; data?: string; transcript?: string; expires_at?: number }
  | { type: 'citation'; choice: number; citation: Citation }
  | { type: 'finish'; choice: number; reason: FinishReason; stop_sequence?: string }
  | { type: 'usage'; usage: Usage }

/** The wire formats of text: spoken by callers and by providers. */
export const PROTOCOLS = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini'] as const
export type Protocol = (typeof PROTOCOLS)[number]

/** An answer in the provider's own wire format. Breaking out of `body` ends the provider's work. */
export interface WireAnswer {
  status: number
  /** Names in lower case. */
  headers: Record<string, string>
  body: AsyncIterable<Uint8Array>
}

/**
 * One way to talk text to a provider. `forward` sends a body that is already in the connection's own format (same
 * protocol on both sides: pass through); `stream` runs a canonical request. Both throw ProviderError before any output;
 * `forward` answers only with a 2xx status. A provider of no protocol (the sandbox) has `stream` alone.
 */
export interface ChatConnection {
  /** Legacy completions pass through and are nothing else: other callers of such a connection have its `stream`. */
  protocol?: Protocol | 'openai-completions'
  forward?(body: JsonObject, call: Call): Promise<WireAnswer>
  stream(request: ChatRequest, call: Call): AsyncIterable<ChatEvent>
  /** Counts the input tokens of a body in the connection's own format, where the provider counts them for nothing. */
  count_input?(body: JsonObject, call: Call): Promise<number>
  /**
   * Whether the provider itself fetches the file at this address; other files are handed over as bytes. Without it the
   * provider fetches them all.
   */
  fetches?(url: string): boolean
  /** False for what the provider does over another of its protocols only; without it a connection serves every model. */
  serves?(upstream: string, request: { tools: boolean }): boolean
  /** The field of a forwarded body that limits this model's output, where the protocol has more than one name for it. */
  output_limit_field?(upstream: string): string
}

/* ---- the other operations: generators ---------------------------------------------------------------------------- */

/**
 * Fields that we do not know travel in `extra`, for a provider that speaks OpenAI's own format. Fields under "where taken"
 * reach only generators that name them in `takes`.
 */
export interface ImageRequest {
  model: string
  prompt: string
  n: number
  /** `WIDTHxHEIGHT` or `auto`. Made of `aspect_ratio` and `resolution` for generators that do not take those. */
  size?: string
  quality?: string
  background?: string
  output_format?: string
  output_compression?: number
  /** Pictures to edit or to refer to; present on edits. */
  images?: Asset[]
  mask?: Asset
  /** How many unfinished pictures to hand to `call.partial`. */
  partial_images?: number
  /* where taken: */
  /** `16:9` */
  aspect_ratio?: string
  /** `1K`, `2K` or `4K`: the area of a square with that edge. */
  resolution?: string
  negative_prompt?: string
  seed?: number
  extra?: JsonObject
}
export interface VideoRequest {
  model: string
  prompt: string
  seconds: number
  /** `WIDTHxHEIGHT`, as OpenAI's. `protocols/shape.ts` makes it into a ratio and a resolution, and back. */
  size?: string
  /* where taken: */
  first_frame?: Asset
  last_frame?: Asset
  /** Pictures of what should be seen in the film. */
  references?: Asset[]
  aspect_ratio?: string
  /** `720p`, `1080p`, `4k` */
  resolution?: string
  /** Whether the film has sound. */
  audio?: boolean
  negative_prompt?: string
  seed?: number
  /** An earlier film of the same provider to be changed or continued: what it is called there, and the film itself. */
  change?: { mode: 'remix' | 'extend'; ref: Json; video: Asset }
  extra?: JsonObject
}
export interface SpeechRequest {
  model: string
  input: string
  voice: Json
  format: string
  speed?: number
  instructions?: string
  extra?: JsonObject
}
export interface TranscriptionRequest {
  model: string
  audio: Extract<Asset, { type: 'bytes' }>
  /** Measured from the file by the router; not believed from the caller. */
  seconds: number
  task: 'transcribe' | 'translate'
  /** json, text, srt, verbose_json, vtt; diarized_json only with `speakers`. */
  format: string
  language?: string
  prompt?: string
  temperature?: number
  /* where taken: */
  /** The times of words are wanted. */
  words?: true
  /** Voices are to be told apart: `speaker` of each segment. */
  speakers?: true
  /** Whom to look for among the voices, at most four; with a recording of each, or of none. */
  known_speakers?: { name: string; sample?: Extract<Asset, { type: 'bytes' }> }[]
  extra?: JsonObject
}
export interface EmbeddingRequest {
  model: string
  input: string[] | number[][]
  dimensions?: number
  encoding_format: 'float' | 'base64'
  extra?: JsonObject
}
export interface ModerationRequest {
  model: string
  input: Json
  extra?: JsonObject
}

/** `answer`: the provider's own answer where it speaks OpenAI's shape, so that fields we do not know travel on. */
export interface ImageOutput {
  images: { image: Asset; revised_prompt?: string }[]
  answer?: JsonObject
}
export interface VideoOutput {
  video: Asset
  /** A still of it, where the provider makes one; the router makes none itself. */
  thumbnail?: Asset
  /** Many stills in one picture. */
  spritesheet?: Asset
  answer?: JsonObject
}
export interface SpeechOutput {
  audio: Asset
}
export interface TranscriptionOutput {
  text: string
  language?: string
  seconds?: number
  /** Seconds from the beginning; `speaker` where the provider tells voices apart. */
  segments?: { start: number; end: number; text: string; speaker?: string }[]
  words?: { start: number; end: number; word: string; speaker?: string }[]
  /** The whole answer in the asked format, where the provider made it itself. */
  answer?: { media_type: string; body: string }
}
/** A part of a transcript while it is written: text in order of speech, and segments where voices are told apart. */
export type TranscriptEvent =
  | { type: 'text'; text: string; segment_id?: string; logprobs?: Json }
  | { type: 'segment'; id: string; start: number; end: number; text: string; speaker: string }
export interface EmbeddingOutput {
  /** In the order of the inputs; text is base64 of little-endian float32. */
  embeddings: (number[] | string)[]
  answer?: JsonObject
}
export interface ModerationOutput {
  answer: JsonObject
}

/** Synchronous and asynchronous work are one path: what `start` and `poll` answer. */
export type Progress<Output> =
  | { status: 'done'; output: Output; usage: Usage }
  /** `ref` is kept on the job and handed back to `poll`: whatever JSON the provider needs to find the work again. */
  | { status: 'pending'; ref: Json; percent?: number; poll_after_ms?: number }
  /** Accepted, then failed. */
  | { status: 'failed'; error: ProviderError; usage?: Usage }

export const done = <Output>(output: Output, usage: Usage): Progress<Output> => ({ status: 'done', output, usage })
export const pending = (ref: Json, percent?: number, poll_after_ms?: number): Progress<never> => ({
  status: 'pending',
  ref,
  ...(percent === undefined ? {} : { percent }),
  ...(poll_after_ms === undefined ? {} : { poll_after_ms }),
})
export const failed = (error: ProviderError, usage?: Usage): Progress<never> => ({
  status: 'failed',
  error,
  ...(usage === undefined ? {} : { usage }),
})

export interface Generator<Request, Output> {
  /** Throws ProviderError only if nothing was accepted upstream. */
  start(request: Request, call: Call): Promise<Progress<Output>>
  /** Which of the fields marked "where taken" it honours; a request with another one is refused by name. */
  takes?: readonly string[]
  /**
   * Speech: which formats it makes, where not all, or what tells it of a model's options. The router makes wav, mp3, opus,
   * flac and pcm of `pcm` or `wav`.
   */
  formats?: readonly string[] | ((options: JsonObject) => readonly string[] | undefined)
  /** Video: the size that pictures must have exactly, where the provider insists on one; the router fits them to it. */
  frame_size?(request: Request): string
  /** Set when `extra` goes on to the provider, which speaks OpenAI's own format; elsewhere unknown fields are refused. */
  takes_extra?: true
  /** Set when `start` may be sent again with the same `call.job` without the work being done or billed twice. */
  repeatable?: true
  /** Required if `start` may answer `pending`. */
  poll?(ref: Json, call: Call): Promise<Progress<Output>>
  cancel?(ref: Json, call: Call): Promise<void>
  /**
   * Looks for work that was submitted under `call.job` and whose answer was lost. Undefined: there is none, for certain.
   * Throws ProviderError where it cannot be known.
   */
  find?(call: Call): Promise<Progress<Output> | undefined>
  /** Verifies a delivery by the provider's own scheme and says whether it is genuine; then we poll: it is a hint. */
  webhook?(delivery: { headers: Record<string, string>; body: Uint8Array }, call: Call): Promise<boolean>
  /** An upper bound of what the request will consume; the hold is its cost. Throws ProviderError for what it refuses. */
  estimate?(request: Request, upstream: string, options: JsonObject): Usage
}

/** OpenAI's image answers are megabytes of base64: the same format on both sides passes through unparsed. */
export interface ImageGenerator extends Generator<ImageRequest, ImageOutput> {
  /**
   * How many pictures one `start` gives at most, where that is fewer than callers may ask for (10). For more the router
   * starts several, each with its own `n` and a `call.job` of its own, and sums up what succeeded.
   */
  most_at_once?(upstream: string, options: JsonObject): number
  /** What in a mask is to be painted anew: what is transparent, as with OpenAI ('alpha', if absent), or what is white. */
  mask?: 'alpha' | 'white'
  forward?(request: ImageRequest, call: Call): Promise<WireAnswer>
  /** Reads the `usage` object found in a forwarded answer. */
  forwardedUsage?(usage: JsonObject | undefined, request: ImageRequest): Usage
}

/** What a provider does; the presence of a member is the capability. */
export interface Connection {
  /** The protocols it speaks, best first. */
  chat?: ChatConnection[]
  image?: ImageGenerator
  video?: Generator<VideoRequest, VideoOutput>
  speech?: Generator<SpeechRequest, SpeechOutput>
  transcription?: Generator<TranscriptionRequest, TranscriptionOutput>
  embedding?: Generator<EmbeddingRequest, EmbeddingOutput>
  moderation?: Generator<ModerationRequest, ModerationOutput>
}

/** Everything that one call may use. */
export interface Call {
  /** Our job id: send it as the provider's idempotency key. */
  job: string
  /** The provider's own name of the model, from its price file. */
  upstream: string
  /** The `options` of the model's entry in the price file, as ProviderDefinition.options made them. */
  options: JsonObject
  /** Aborts when the caller cancels, when the deadline passes or when the router stops. */
  signal: AbortSignal
  log: { debug(fields: object, message: string): void; warn(fields: object, message: string): void }
  /** Headers of the caller that `forward` sends on, names in lower case: those that its format lets callers set (anthropic-beta). */
  headers?: Record<string, string>
  /** Set when the caller watches: hand over each unfinished picture. */
  partial?: (image: Asset, index: number) => void
  /** Set when the caller listens: hand over the sound as it comes, in the asked format. The output is the whole of it all the same. */
  sound?: (piece: Uint8Array) => void
  /** Set when the caller reads along: hand over the transcript as it comes. The output is the whole of it all the same. */
  heard?: (event: TranscriptEvent) => void
  /** Set when `webhook` exists and the site has a public address. */
  webhook_url?: string
}

/* ---- the provider itself ----------------------------------------------------------------------------------------- */

export interface WireRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  url: string
  headers: Record<string, string>
  body?: string | Uint8Array
  signal: AbortSignal
  /** No headers of the answer after this time: ProviderError 'timeout'. */
  headers_timeout_ms?: number
  /** No byte of the answer's body for this time: ProviderError 'timeout'. */
  idle_timeout_ms?: number
}

/**
 * An HTTP client of the provider's own: pooled, timed, limited. Called like the global fetch it suits the vendors'
 * SDKs; `send` is the cheap way for text (a fifth of fetch's cost) and throws ProviderError instead of network errors.
 */
export interface ProviderFetch {
  (input: string | URL | Request, init?: RequestInit): Promise<Response>
  send(request: WireRequest): Promise<WireAnswer>
}

export interface Tools {
  fetch: ProviderFetch
}

/** What an entry of a price file says beside its options. */
export interface PricedEntry {
  upstream: string
  operation: readonly Operation[]
  limits: { readonly [name: string]: unknown }
  /** Those that have a price. */
  meters: readonly Meter[]
}

export interface ProviderDefinition<Settings extends z.ZodObject = z.ZodObject> {
  contract: 1
  /** For people: 'OpenAI'. */
  name: string
  /** Where its models and prices are published. */
  docs: string
  /** Read from `<ID>_*` environment variables: `api_key` of `acme` is ACME_API_KEY. A required one that is absent turns the provider off. */
  settings: Settings
  /** Other names of the environment that the vendor's own tools use: { api_key: 'GEMINI_API_KEY' }. */
  environment?: Partial<Record<keyof z.infer<Settings> & string, string>>
  /**
   * Checks `options` of each model's entry in the price file: what this adapter must know of one model. None are taken
   * without it. Where the rest of the entry matters, a function of it.
   */
  options?: z.ZodType<JsonObject> | ((entry: PricedEntry) => z.ZodType<JsonObject>)
  /** How many looks at work under way it bears in a second, by all routers of a site together; 20 if absent. */
  polls_per_second?: number
  /** Called once; must not touch the network. */
  connect(settings: z.infer<Settings>, tools: Tools): Connection
}

export const defineProvider = <Settings extends z.ZodObject>(definition: ProviderDefinition<Settings>) => definition
