// Storage in a bucket of S3 or of what speaks like it. A file appears whole under its name or not at all: small ones by
// one put, larger ones and streams by a multipart upload, of which nothing is seen before its end.
import { createHash, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { FileTooLarge } from './media_error.ts'
import { readS3Address, type S3Credentials } from './s3_address.ts'
import { S3Client, S3Refusal, xmlText, xmlTexts } from './s3_client.ts'
import { StorageError } from './storage_error.ts'
import { checkKey, checkPrefix } from './storage_key.ts'
import type { Storage } from './store.ts'

/** At least 5 MiB, and equal but for the last, as R2 wants them; at most 10,000 make 80 GB a file. */
const PART_BYTES = 8 * 2 ** 20
const DELETES_AT_ONCE = 16
/** A start that waits longer than this tells nobody anything. */
const START_TIMEOUT_MS = 20_000
/** In pieces, so that others have their turn while a large file is hashed. */
const SLICE_BYTES = 2 ** 20

/** Shows that the bucket is there and that the key may write, list and delete in it. Throws StorageError. */
export async function openS3(storage_url: string, credentials: S3Credentials | undefined): Promise<Storage> {
  const address = readS3Address(storage_url)
  if (!credentials)
    throw new StorageError('STORAGE_URL is s3://…, so AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set.')
  const client = new S3Client(address, credentials)
  await inTime(tryOut(client), address.endpoint)
  return s3Storage(client)
}

async function tryOut(client: S3Client): Promise<void> {
  // No key of ours begins with a dot.
  const key = `.incoming/${randomUUID()}`
  await client.text({ method: 'PUT', key, body: Buffer.from('Switchyard was here.') })
  await list(client, '.incoming/')
  await client.text({ method: 'DELETE', key })
}

async function inTime(work: Promise<void>, endpoint: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const message = `S3 at ${endpoint} did not answer within ${START_TIMEOUT_MS / 1000} seconds.`
    timer = setTimeout(() => reject(new StorageError(message)), START_TIMEOUT_MS)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

function s3Storage(client: S3Client): Storage {
  return {
    async put(key, data, { media_type, max_bytes }) {
      const upload = new Upload(client, checkKey(key), media_type)
      if (data instanceof Uint8Array && data.length > max_bytes) throw new FileTooLarge(max_bytes)
      try {
        for await (const chunk of data instanceof Uint8Array ? slices(data) : data) {
          if (upload.bytes + chunk.length > max_bytes) throw new FileTooLarge(max_bytes)
          await upload.add(chunk)
        }
        return { key, media_type, ...(await upload.finish()) }
      } catch (error) {
        await upload.abandon()
        throw error
      }
    },
    async open(key, { start, end } = { start: 0 }) {
      const range = start === 0 && end === undefined ? undefined : `bytes=${start}-${end ?? ''}`
      const request = { method: 'GET' as const, key: checkKey(key), ...(range && { headers: { range } }) }
      const { status, headers, body } = await client.send({ ...request, accept: [404, 416] })
      if (status === 404) return requireBucket(client, body)
      const whole = /\/(\d+)$/.exec(String(headers['content-range'] ?? ''))?.[1] ?? headers['content-length']
      // undici calls it an error when a body is given up; whoever reads one hears of real errors by reading.
      body.on('error', () => undefined)
      if (status !== 416) return { body, bytes: Number(whole) }
      // Beyond its end there is nothing, as in a folder.
      body.destroy()
      return { body: Readable.from([]), bytes: Number(whole) }
    },
    async remove(key) {
      await client.text({ method: 'DELETE', key: checkKey(key), accept: [404] })
    },
    async removeAll(prefix) {
      let found: Listed
      let after: string | undefined
      do {
        found = await list(client, checkPrefix(prefix), after)
        for (let at = 0; at < found.keys.length; at += DELETES_AT_ONCE) {
          const some = found.keys.slice(at, at + DELETES_AT_ONCE)
          await Promise.all(some.map((key) => client.text({ method: 'DELETE', key, accept: [404] })))
        }
        after = found.next
      } while (after !== undefined)
    },
  }
}

/** A file that is not there is no fault; a bucket that is gone is. */
async function requireBucket(client: S3Client, body: Readable): Promise<undefined> {
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk as Buffer)
  if (xmlText(Buffer.concat(chunks).toString(), 'Code') !== 'NoSuchBucket') return undefined
  throw new StorageError(`The bucket '${client.address.bucket}' of STORAGE_URL is not there any more.`)
}

interface Listed {
  keys: string[]
  next: string | undefined
}

/** Keys as we name them, without the site's prefix. */
async function list(client: S3Client, prefix: string, after?: string): Promise<Listed> {
  const whole = client.address.prefix + prefix
  const query = { 'list-type': '2', prefix: whole, ...(after !== undefined && { 'continuation-token': after }) }
  const xml = await client.text({ method: 'GET', query })
  const keys = xmlTexts(xml, 'Key')
    .filter((key) => key.startsWith(whole))
    .map((key) => key.slice(client.address.prefix.length))
  return { keys, next: xmlText(xml, 'NextContinuationToken') }
}

function* slices(data: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < data.length; at += SLICE_BYTES) yield data.subarray(at, at + SLICE_BYTES)
}

/** One file on its way, never more than one part of it in memory. */
class Upload {
  readonly #client: S3Client
  readonly #key: string
  readonly #media_type: string
  readonly #hash = createHash('sha256')
  #waiting: Uint8Array[] = []
  #waiting_bytes = 0
  #id: string | undefined
  #etags: string[] = []
  bytes = 0

  constructor(client: S3Client, key: string, media_type: string) {
    this.#client = client
    this.#key = key
    this.#media_type = media_type
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.bytes += chunk.length
    this.#hash.update(chunk)
    for (let rest = chunk; rest.length > 0; ) {
      const taken = rest.subarray(0, PART_BYTES - this.#waiting_bytes)
      rest = rest.subarray(taken.length)
      this.#waiting.push(taken)
      this.#waiting_bytes += taken.length
      if (this.#waiting_bytes === PART_BYTES) await this.#sendPart()
    }
  }

  async finish(): Promise<{ bytes: number; sha256: string }> {
    if (this.#id === undefined) await this.#putWhole()
    else await this.#complete()
    return { bytes: this.bytes, sha256: this.#hash.digest('hex') }
  }

  /** What was begun is taken back. If even that fails, the bucket's own rule for incomplete uploads does it. */
  async abandon(): Promise<void> {
    if (this.#id === undefined) return
    const request = { method: 'DELETE' as const, key: this.#key, query: { uploadId: this.#id }, accept: [404] }
    await this.#client.text(request).catch(() => undefined)
  }

  async #putWhole(): Promise<void> {
    const headers = { 'content-type': this.#media_type }
    await this.#client.text({ method: 'PUT', key: this.#key, headers, body: this.#takeWaiting() })
  }

  async #sendPart(): Promise<void> {
    this.#id ??= await this.#begin()
    const query = { partNumber: String(this.#etags.length + 1), uploadId: this.#id }
    const { headers, body } = await this.#client.send({
      method: 'PUT',
      key: this.#key,
      query,
      body: this.#takeWaiting(),
    })
    await body.dump()
    this.#etags.push(String(headers.etag ?? ''))
  }

  async #begin(): Promise<string> {
    const headers = { 'content-type': this.#media_type }
    const xml = await this.#client.text({ method: 'POST', key: this.#key, query: { uploads: '' }, headers })
    const id = xmlText(xml, 'UploadId')
    if (id === undefined) throw new StorageError('The S3 server began an upload and did not say which.')
    return id
  }

  async #complete(): Promise<void> {
    if (this.#waiting_bytes > 0) await this.#sendPart()
    const parts = this.#etags.map((etag, index) => {
      const quoted = etag.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
      return `<Part><PartNumber>${index + 1}</PartNumber><ETag>${quoted}</ETag></Part>`
    })
    const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`)
    const query = { uploadId: this.#id ?? '' }
    const headers = { 'content-type': 'application/xml' }
    const xml = await this.#client
      .text({ method: 'POST', key: this.#key, query, headers, body })
      .catch((error: unknown) => this.#requireCompleted(error))
    // This one answer may be a 200 that says that it failed.
    if (/<Error>/.test(xml))
      throw new StorageError(`The S3 server could not put an upload together (${xmlText(xml, 'Code') ?? 'no code'}).`)
  }

  /** Where the answer to the first try was lost, the second one finds no such upload: then the file tells. */
  async #requireCompleted(error: unknown): Promise<string> {
    if (!(error instanceof S3Refusal) || error.code !== 'NoSuchUpload') throw error
    const request = { method: 'GET' as const, key: this.#key, headers: { range: 'bytes=0-0' }, accept: [404] }
    const { headers, body } = await this.#client.send(request)
    await body.dump()
    if (!String(headers['content-range'] ?? '').endsWith(`/${this.bytes}`)) throw error
    return ''
  }

  #takeWaiting(): Uint8Array {
    const [only] = this.#waiting
    const body = only && this.#waiting.length === 1 ? only : Buffer.concat(this.#waiting)
    this.#waiting = []
    this.#waiting_bytes = 0
    return body
  }
}
