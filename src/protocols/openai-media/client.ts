// The official openai SDK, pointed at one server: no retries, no environment, every failure a ProviderError.
import { createRequire } from 'node:module'
import type { OpenAI } from 'openai'
import { type Asset, type Call, type JsonObject, ProviderError, type ProviderFetch } from '../../contract.ts'
import { unreadable } from '../faults.ts'
import { abortError, networkError } from '../network_error.ts'
import { httpError } from '../status.ts'

export interface MediaServer {
  /** For people: 'Acme'. */
  provider: string
  /** With its version, without a slash at the end: https://api.openai.com/v1. */
  base_url: string
  /** Absent for servers of one's own that ask for none. */
  api_key?: string | undefined
  fetch: ProviderFetch
  headers?: Record<string, string>
}

const require = createRequire(import.meta.url)

/** Loaded with the first call that needs it: 25 MB that a router of text never uses. */
const library = () => require('openai') as typeof import('openai')

/** The resources of the SDK that we use. */
export type MediaClient = Pick<OpenAI, 'audio' | 'embeddings' | 'images' | 'moderations' | 'videos'>

/** Pictures at the highest quality take minutes; the job's own deadline comes first or later by itself. */
const TIMEOUT_MS = 15 * 60_000

export function mediaClient(server: MediaServer): MediaClient {
  let made: OpenAI | undefined
  const sdk = () => {
    made ??= newClient(server)
    return made
  }
  return {
    get audio() {
      return sdk().audio
    },
    get embeddings() {
      return sdk().embeddings
    },
    get images() {
      return sdk().images
    },
    get moderations() {
      return sdk().moderations
    },
    get videos() {
      return sdk().videos
    },
  }
}

function newClient({ base_url, api_key, fetch, headers = {} }: MediaServer): OpenAI {
  return new (library().OpenAI)({
    apiKey: api_key ?? 'none',
    baseURL: base_url,
    fetch,
    maxRetries: 0,
    timeout: TIMEOUT_MS,
    defaultHeaders: headers,
    logLevel: 'off',
    // Null keeps the SDK from reading the environment, which is config.ts's alone.
    organization: null,
    project: null,
    adminAPIKey: null,
    webhookSecret: null,
  })
}

/** The options of every call: who cancels it, and our job as idempotency key. */
export const callOptions = (call: Call) => ({ signal: call.signal, headers: { 'idempotency-key': call.job } })

/** Runs one call of the SDK; whatever it throws comes out as a ProviderError. */
export async function viaSdk<Result>(provider: string, call: Call, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw sdkError(error, provider, call.signal)
  }
}

function sdkError(error: unknown, provider: string, signal: AbortSignal): ProviderError {
  if (error instanceof ProviderError) return error
  if (signal.aborted) return abortError(signal, provider)
  const { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } = library()
  if (error instanceof APIConnectionTimeoutError) {
    return new ProviderError('timeout', `${provider} did not answer in time.`, { cause: error })
  }
  if (error instanceof APIUserAbortError || error instanceof APIConnectionError) return networkError(error, provider)
  if (error instanceof APIError && error.status !== undefined) {
    const headers = Object.fromEntries((error.headers as Headers | undefined)?.entries() ?? [])
    return httpError(error.status, headers, JSON.stringify({ error: error.error }), provider)
  }
  // An error event within a stream has no status of its own.
  if (error instanceof APIError) return httpError(500, {}, JSON.stringify({ error: error.error }), provider)
  if (error instanceof SyntaxError) return unreadable(provider, error)
  return networkError(error, provider)
}

/** Bytes as a file to upload. An address is refused: the router downloads pictures before it calls this format. */
export async function upload(asset: Asset, name: string, param: string): Promise<File> {
  if (asset.type === 'url') {
    throw new ProviderError('invalid_request', `'${param}' must be uploaded as a file.`, { param })
  }
  const extension = EXTENSIONS[asset.media_type] ?? asset.media_type.split('/')[1] ?? 'bin'
  return library().toFile(asset.data, asset.filename ?? `${name}.${extension}`, { type: asset.media_type })
}

const EXTENSIONS: Record<string, string> = {
  'audio/mpeg': 'mp3',
  'audio/x-wav': 'wav',
  'audio/mp4': 'm4a',
  'audio/x-m4a': 'm4a',
  'image/jpeg': 'jpg',
}

/** The fields that are set, and those of `extra` that are not among them. */
export function fieldsOf(fields: { [name: string]: unknown }, extra: JsonObject | undefined): JsonObject {
  const set = Object.entries(fields).filter(([, value]) => value !== undefined)
  return { ...extra, ...Object.fromEntries(set) } as JsonObject
}
