/** Where the Unix socket lies: in the data folder, or in a private short-named folder when the path is too long for one. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

/** sun_path holds 108 bytes on Linux, 104 on macOS; the driver's URI must carry it too. */
const max_path_bytes = 100

export type SocketPlace = { path: string; remove: () => void }

/** Only for the owner of the folder's lock: a socket file found there is a dead owner's and is removed. */
export function placeSocket(data_dir: string): SocketPlace {
  const path = join(resolve(data_dir), 'store.sock')
  if (Buffer.byteLength(path) <= max_path_bytes) {
    rmSync(path, { force: true })
    return { path, remove: () => rmSync(path, { force: true }) }
  }
  // mkdtemp makes the folder 0700.
  const short = join(mkdtempSync(join(tmpdir(), 'switchyard-')), 'store.sock')
  return { path: short, remove: () => rmSync(dirname(short), { recursive: true, force: true }) }
}

/** Owner only: who can connect can read and write everything. */
export const protectSocket = (path: string): void => chmodSync(path, 0o600)

export const uriOf = (path: string): string => `mongodb://${encodeURIComponent(path)}/switchyard?directConnection=true`
