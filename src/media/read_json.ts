// JSON files that the router itself has stored, read whole.
import type { Storage } from './store.ts'

/** Undefined where there is no such file. */
export async function readJson(storage: Storage, key: string): Promise<unknown> {
  const file = await storage.open(key)
  if (!file) return undefined
  const chunks: Buffer[] = []
  for await (const chunk of file.body) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString())
}
