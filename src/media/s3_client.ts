// Requests to one bucket over the S3 protocol: signed, timed, repeated where that is safe. It knows no files and no keys
// of ours beyond their names.
import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { AwsV4Signer } from 'aws4fetch'
import { Agent, type Dispatcher } from 'undici'
import type { S3Address, S3Credentials } from './s3_address.ts'
import { StorageError } from './storage_error.ts'

/** What the server refused, by its own code (NoSuchBucket, AccessDenied, …). */
export class S3Refusal extends StorageError {
  override name = 'S3Refusal'
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

export interface S3Request {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Under the prefix; absent: the bucket itself. */
  key?: string
  query?: Record<string, string>
  headers?: Record<string, string>
  body?: Uint8Array
  /** Statuses that are answers besides 2xx. */
  accept?: number[]
}

export interface S3Answer {
  status: number
  headers: Dispatcher.ResponseData['headers']
  /** Read it to its end, or destroy it. */
  body: Dispatcher.ResponseData['body']
}

const CONNECT_TIMEOUT_MS = 5000
const IDLE_TIMEOUT_MS = 30_000
const CONNECTIONS_MAX = 64
const PAUSES_MS = [100, 500]
/** Answers that are read whole are lists and errors: small. */
const TEXT_BYTES_MAX = 4 * 2 ** 20

export class S3Client {
  readonly address: S3Address
  readonly #credentials: S3Credentials
  readonly #signing_keys = new Map<string, ArrayBuffer>()
  readonly #agent = new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: IDLE_TIMEOUT_MS,
    bodyTimeout: IDLE_TIMEOUT_MS,
    connections: CONNECTIONS_MAX,
  })

  constructor(address: S3Address, credentials: S3Credentials) {
    this.address = address
    this.#credentials = credentials
  }

  /** Every request here may be sent twice: bodies are whole, and a second write of the same bytes changes nothing. */
  async send(request: S3Request): Promise<S3Answer> {
    for (let attempt = 0; ; attempt++) {
      const pause_ms = PAUSES_MS[attempt]
      try {
        const answer = await this.#ask(request)
        if (answer.status < 300 || request.accept?.includes(answer.status)) return answer
        const refusal = await refusalOf(answer, this.address)
        if (pause_ms === undefined || !mayPass(refusal.status)) throw refusal
      } catch (error) {
        if (error instanceof S3Refusal) throw error
        if (pause_ms === undefined) throw unreachable(error, this.address)
      }
      await pause(pause_ms * (0.5 + Math.random()))
    }
  }

  /** The text of an answer that is read whole. */
  async text(request: S3Request): Promise<string> {
    return readText((await this.send(request)).body)
  }

  async #ask({ method, key, query = {}, headers = {}, body }: S3Request): Promise<S3Answer> {
    const { endpoint, bucket, prefix, region } = this.address
    // With the bucket in the path, which every server understands whatever its name resolves to.
    const url = new URL(`${endpoint}/${bucket}${key === undefined ? '' : `/${prefix}${key}`}`)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    const { access_key_id, secret_access_key, session_token } = this.#credentials
    const signed = await new AwsV4Signer({
      method,
      url: url.href,
      headers: {
        ...headers,
        'x-amz-content-sha256': createHash('sha256')
          .update(body ?? '')
          .digest('hex'),
      },
      accessKeyId: access_key_id,
      secretAccessKey: secret_access_key,
      ...(session_token !== undefined && { sessionToken: session_token }),
      service: 's3',
      region,
      cache: this.#signing_keys,
    }).sign()
    const { statusCode, ...answer } = await this.#agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: Object.fromEntries(signed.headers),
      ...(body && { body }),
    })
    return { status: statusCode, headers: answer.headers, body: answer.body }
  }
}

/** The text of the first element of that name. */
export function xmlText(xml: string, element: string): string | undefined {
  return xmlTexts(xml, element)[0]
}

/** In the answers of S3 every element that is asked for here holds text alone. */
export function xmlTexts(xml: string, element: string): string[] {
  return [...xml.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, 'g'))].map(([, text = '']) =>
    text.replace(/&(?:amp|lt|gt|quot|apos|#(\d+)|#x([\da-f]+));/gi, (entity, decimal, hex) =>
      decimal || hex
        ? String.fromCodePoint(Number.parseInt(decimal ?? hex, decimal ? 10 : 16))
        : (ENTITIES[entity] ?? ''),
    ),
  )
}

const ENTITIES: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'" }

async function readText(body: S3Answer['body']): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > TEXT_BYTES_MAX) throw new StorageError('The S3 server answered with more than was asked for.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** Overload and trouble of the server's own; anything else would be the same again. */
const mayPass = (status: number) => status === 429 || status >= 500

async function refusalOf({ status, body }: S3Answer, { bucket, endpoint, region }: S3Address): Promise<S3Refusal> {
  const text = await readText(body)
  const code = /^\w{1,80}$/.exec(xmlText(text, 'Code') ?? '')?.[0] ?? 'no code'
  const remedies: Record<string, string> = {
    NoSuchBucket: `there is no bucket '${bucket}': make it, or mend STORAGE_URL`,
    InvalidAccessKeyId: 'AWS_ACCESS_KEY_ID is not known there',
    SignatureDoesNotMatch: 'AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID',
    InvalidToken: 'AWS_SESSION_TOKEN is not valid',
    ExpiredToken: 'AWS_SESSION_TOKEN has expired',
    AccessDenied: `the key may not read, write, list and delete in '${bucket}': extend its rights`,
    RequestTimeTooSkewed: "this machine's clock is wrong: set it",
    AuthorizationHeaderMalformed: `the region '${region}' is not the bucket's: add region= to STORAGE_URL`,
    PermanentRedirect: `the region '${region}' is not the bucket's: add region= to STORAGE_URL`,
  }
  const why = remedies[code] ?? (mayPass(status) ? 'the server is in trouble; try again' : 'the server refused')
  return new S3Refusal(status, code, `S3 at ${endpoint}: ${why} (${status} ${code}).`)
}

function unreachable(error: unknown, { endpoint }: S3Address): StorageError {
  const code = error instanceof Error ? String(Reflect.get(error, 'code') ?? error.name) : 'unknown error'
  return new StorageError(`S3 at ${endpoint} cannot be reached (${code}). Check the endpoint and the network.`, {
    cause: error,
  })
}
