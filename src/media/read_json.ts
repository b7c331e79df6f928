// Files that the router itself has stored, read whole.
import type { Storage } from './store.ts'

/** Undefined where there is no such file. */
export async function readJson(storage: Storage, key: string): Promise<unknown> {
  const bytes = await readBytes(storage, key)
  return bytes && JSON.parse(bytes.toString())
}

/** Undefined where there is no such file. */
export async function readBytes(storage: Storage, key: string): Promise<Buffer | undefined> {
  const file = await storage.open(key)
  if (!file) return undefined
  const chunks: Buffer[] = []
  for await (const chunk of file.body) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
