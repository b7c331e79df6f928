// DATA_DIR/first-run.json: how the first keys reach the operator and the scripts of this machine. Always whole, and
// readable by its owner alone.
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { createPrivateFile, replacePrivateFile } from './private_file.ts'

export const FIRST_RUN_FILE = 'first-run.json'

const fileSchema = z.object({
  /** Ends in /v1. */
  base_url: z.string(),
  /** Null in production, where ADMIN_KEY is the operator's own and is copied nowhere. */
  admin_key: z.string().nullable(),
  api_key: z.string().nullable(),
})
export type FirstRunRecord = z.infer<typeof fileSchema>

/** Undefined if there is no such file. Throws an Error that names it if it cannot be used. */
export async function readFirstRun(path: string): Promise<FirstRunRecord | undefined> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`${path} cannot be read. Mend it, or delete it: then a new admin key is made.`, { cause: error })
  }
}

/** False if the file came into being meanwhile. */
export const writeNewFirstRun = (path: string, record: FirstRunRecord): Promise<boolean> =>
  createPrivateFile(path, textOf(record))

export const replaceFirstRun = (path: string, record: FirstRunRecord): Promise<void> =>
  replacePrivateFile(path, textOf(record))

const textOf = (record: FirstRunRecord) => `${JSON.stringify(record, null, 2)}\n`
