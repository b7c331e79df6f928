// Storage in a folder, which several routers may share. A file appears whole under its name or not at all: it is written
// elsewhere in the same folder, flushed to the disk, and renamed.
import { createHash, randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FileTooLarge } from './media_error.ts'
import { StorageError } from './storage_error.ts'
import { checkKey, checkPrefix } from './storage_key.ts'
import type { Storage } from './store.ts'

/** Begins with a dot, so no key leads into it. */
const INCOMING = '.incoming'
/** No upload takes so long: what is older was left by a router that died. */
const ABANDONED_MS = 24 * 3_600_000
const SLICE_BYTES = 2 ** 20

/** Makes the folder and shows that it can be written. */
export async function openFolder(folder: string): Promise<Storage> {
  const incoming = join(folder, INCOMING)
  try {
    await makeFolder(incoming)
    const trial = join(incoming, randomUUID())
    await (await open(trial, 'wx', 0o600)).close()
    await rm(trial)
    await removeAbandoned(incoming)
  } catch (error) {
    throw storageError(error, `The folder ${folder} cannot be used for files`)
  }
  return folderStorage(folder, incoming)
}

function folderStorage(folder: string, incoming: string): Storage {
  const pathOf = (key: string) => join(folder, checkKey(key))
  return {
    async put(key, data, { media_type, max_bytes }) {
      const path = pathOf(key)
      const temporary = join(incoming, randomUUID())
      try {
        const written = await write(temporary, data, max_bytes)
        await moveTo(path, temporary)
        return { key, media_type, ...written }
      } catch (error) {
        // A failure to tidy up must not hide what went wrong; the next start removes what is left.
        await rm(temporary, { force: true }).catch(() => undefined)
        throw error
      }
    },
    async open(key, { start, end } = { start: 0 }) {
      const handle = await openExisting(pathOf(key))
      if (!handle) return undefined
      const { size } = await handle.stat()
      return { body: handle.createReadStream({ start, ...(end !== undefined && { end }) }), bytes: size }
    },
    async remove(key) {
      const path = pathOf(key)
      await rm(path, { force: true })
      await removeIfEmpty(dirname(path))
    },
    async removeAll(prefix) {
      await rm(join(folder, checkPrefix(prefix)), { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

async function write(path: string, data: Uint8Array | AsyncIterable<Uint8Array>, max_bytes: number) {
  if (data instanceof Uint8Array && data.length > max_bytes) throw new FileTooLarge(max_bytes)
  const hash = createHash('sha256')
  let bytes = 0
  const file = await open(path, 'wx', 0o600).catch(ours)
  try {
    for await (const chunk of data instanceof Uint8Array ? slices(data) : data) {
      bytes += chunk.length
      if (bytes > max_bytes) throw new FileTooLarge(max_bytes)
      hash.update(chunk)
      await writeAll(file, chunk).catch(ours)
    }
    await file.sync().catch(ours)
  } finally {
    await file.close()
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** One write may take less than it was given, as a disk that fills up does. */
async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten
}

/** In pieces, so that others have their turn while a large file is hashed. */
function* slices(data: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < data.length; at += SLICE_BYTES) yield data.subarray(at, at + SLICE_BYTES)
}

async function moveTo(path: string, temporary: string): Promise<void> {
  const folder = dirname(path)
  for (let tries = 1; ; tries++) {
    await makeFolder(folder).catch(ours)
    try {
      await rename(temporary, path)
      break
    } catch (error) {
      // Somebody removed the job's last file, and its folder with it, between these two lines.
      if (codeOf(error) !== 'ENOENT' || tries === 3) ours(error)
    }
  }
  const directory = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY).catch(ours)
  await directory
    .sync()
    .catch(ours)
    .finally(() => directory.close())
}

/**
 * With the folders above it. Not by `recursive`, which never comes back where a parent is there and nothing can be made
 * in it, as under /proc (Node 24.21, 2026-11-21).
 */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolder(dirname(path))
    await mkdir(path, { mode: 0o700 }).catch((again: unknown) => {
      if (codeOf(again) !== 'EEXIST') throw again
    })
  }
}

async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw storageError(error, 'A stored file cannot be read')
  }
}

async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(codeOf(error))) throw error
  }
}

async function removeAbandoned(incoming: string): Promise<void> {
  for (const name of await readdir(incoming)) {
    const path = join(incoming, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }))
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(path, { force: true })
  }
}

/** Only for errors of the disk: what `data` throws passes as it is, though it may look the same (a socket's EPIPE). */
function ours(error: unknown): never {
  throw storageError(error, 'A file cannot be stored')
}

const codeOf = (error: unknown) => String((error instanceof Error && Reflect.get(error, 'code')) || 'unknown error')

const REMEDIES: Record<string, string> = {
  ENOSPC: 'the disk is full; free some space',
  EDQUOT: 'the quota of the disk is used up; free some space',
  EFBIG: 'the system allows no file of this size; raise its limit (ulimit -f)',
  EACCES: 'the router may not write there; change its owner or its mode',
  EPERM: 'the router may not write there; change its owner or its mode',
  EROFS: 'it is mounted read-only',
  ENOTDIR: 'a part of its path is a file',
  ENOENT: 'no folder can be made there; name another place',
  EMFILE: 'too many files are open; raise the limit (ulimit -n)',
}

function storageError(error: unknown, what: string): StorageError {
  const code = codeOf(error)
  return new StorageError(`${what}: ${REMEDIES[code] ?? 'the disk failed'} (${code}).`, { cause: error })
}
