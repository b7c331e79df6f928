// The names of stored files: `account/job/name.ext`, made by us, so that no text of a caller leads anywhere.
import { StorageError } from './storage_error.ts'

const KEY = /^[A-Za-z0-9_-]{1,100}\/[A-Za-z0-9_-]{1,100}\/[A-Za-z0-9_-]{1,100}\.[a-z0-9]{1,10}$/
const PREFIX = /^[A-Za-z0-9_-]{1,100}\/([A-Za-z0-9_-]{1,100}\/)?$/

/** Throws StorageError for what is not a key. */
export function checkKey(key: string): string {
  if (KEY.test(key)) return key
  throw new StorageError(`'${key.slice(0, 200)}' is not a key of the form account/job/name.ext.`)
}

/** Throws StorageError for what names neither an account nor a job. */
export function checkPrefix(prefix: string): string {
  if (PREFIX.test(prefix)) return prefix
  throw new StorageError(`'${prefix.slice(0, 200)}' is neither account/ nor account/job/.`)
}
