// Files that the router keeps: uploads, large requests, outputs. Chooses where by the operator's STORAGE_URL; knows
// neither jobs nor accounts beyond their place in a key.
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { openFolder } from './folder.ts'
import { openS3 } from './s3.ts'
import type { S3Credentials } from './s3_address.ts'
import { StorageError } from './storage_error.ts'

export interface StoredFile {
  key: string
  media_type: string
  bytes: number
  /** Hexadecimal. */
  sha256: string
}

/** Keys are `account/job/name.ext`, made by us; anything else throws. */
export interface Storage {
  /** Whole or not at all; a second put of the same key replaces the first. Throws FileTooLarge, StorageError, or what `data` throws. */
  put(
    key: string,
    data: Uint8Array | AsyncIterable<Uint8Array>,
    options: { media_type: string; max_bytes: number },
  ): Promise<StoredFile>
  /** `end` is the last byte wanted, `bytes` the size of the whole file. Read or destroy the body. */
  open(key: string, range?: { start: number; end?: number }): Promise<{ body: Readable; bytes: number } | undefined>
  /** No error if it is not there. */
  remove(key: string): Promise<void>
  /** Everything of an account (`acc_…/`) or of a job (`acc_…/job_…/`). */
  removeAll(prefix: string): Promise<void>
}

/** Throws StorageError where files cannot be written. */
export async function openStorage(
  storage_url: string | undefined,
  data_dir: string,
  credentials?: S3Credentials,
): Promise<Storage> {
  if (storage_url === undefined) return openFolder(resolve(data_dir, 'files'))
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(storage_url)?.[1]?.toLowerCase()
  if (scheme === undefined) return openFolder(resolve(storage_url))
  if (scheme === 'file') return openFolder(fileURLToPath(storage_url))
  if (scheme === 's3') return openS3(storage_url, credentials)
  throw new StorageError(`STORAGE_URL: ${scheme}:// is not known; name a folder, or a bucket as s3://bucket/prefix.`)
}
