/**
 * The lock on a data folder. The operating system holds it (sqlite's file lock), so it ends with the process however
 * that dies, and having it proves that no former owner lives.
 */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Another process, or another store in this one, works on the folder. */
export class DataFolderInUse extends Error {
  readonly folder: string
  readonly pid: number | undefined

  constructor(folder: string, pid: number | undefined) {
    const owner = pid === undefined ? 'another process' : `process ${pid}`
    super(`The data folder ${folder} is in use by ${owner}: stop it, or set DATA_DIR to another folder`)
    this.name = 'DataFolderInUse'
    this.folder = folder
    this.pid = pid
  }
}

/** The folder cannot be made or written to. */
export class DataFolderUnusable extends Error {
  readonly folder: string
  readonly reason: string

  constructor(folder: string, reason: string) {
    super(`The data folder ${folder} cannot be used (${reason}): make it writable, or set DATA_DIR to another folder`)
    this.reason = reason
    this.name = 'DataFolderUnusable'
    this.folder = folder
  }
}

export type FolderLock = { release: () => void }

/** Makes the folder if needed, for its owner alone. Throws DataFolderUnusable. */
export function makeDataFolder(folder: string): void {
  try {
    makeFolder(folder)
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new DataFolderUnusable(folder, (error as NodeJS.ErrnoException).code ?? (error as Error).message)
  }
}

/**
 * One folder after another, each tried once: `mkdirSync` with `recursive` never comes back where a folder can be seen
 * but nothing be made in it, as in /proc (Node 24.21, 2026-11).
 */
function makeFolder(folder: string): void {
  if (existsSync(folder)) {
    readdirSync(folder)
    return
  }
  const parent = dirname(folder)
  if (parent !== folder) makeFolder(parent)
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    // Another start may have been faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Makes the folder if needed and takes it. Throws DataFolderInUse or DataFolderUnusable. */
export function lockFolder(folder: string): FolderLock {
  makeDataFolder(folder)
  const pid_file = join(folder, 'store.pid')
  const database = takeLock(folder, pid_file)
  writeFileSync(pid_file, `${process.pid}\n`, { mode: 0o600 })
  return { release: () => database.close() }
}

/** The pid is for the message only; the lock itself is the open transaction. */
function takeLock(folder: string, pid_file: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(join(folder, 'store.lock'), { timeout: 0 })
    database.exec('begin exclusive')
    return database
  } catch (error) {
    database?.close()
    const message = (error as Error).message
    if (message.includes('locked')) throw new DataFolderInUse(folder, readPid(pid_file))
    throw new DataFolderUnusable(folder, message)
  }
}

function readPid(pid_file: string): number | undefined {
  try {
    const pid = Number(readFileSync(pid_file, 'utf8'))
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}
