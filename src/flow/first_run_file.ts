// DATA_DIR/first-run.json: how the first keys reach the operator and the scripts of this machine. Always whole, and
// readable by its owner alone.
import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { z } from 'zod'

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
export async function writeNewFirstRun(path: string, record: FirstRunRecord): Promise<boolean> {
  const draft = await writeDraft(path, record)
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

export async function replaceFirstRun(path: string, record: FirstRunRecord): Promise<void> {
  await rename(await writeDraft(path, record), path)
}

/** Whole and on the disk before it gets its name, and readable by nobody else at any time. */
async function writeDraft(path: string, record: FirstRunRecord): Promise<string> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(record, null, 2)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  return draft
}
