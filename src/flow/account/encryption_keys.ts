// The keys that secrets are encrypted and addresses signed with: the operator's ENCRYPTION_KEYS, or one made in the data
// folder at the first start, for its owner alone.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Config, type EncryptionKey, parseEncryptionKeys } from '../../config.ts'
import { createPrivateFile } from './private_file.ts'

export const ENCRYPTION_KEYS_FILE = 'encryption-keys'

/** At least one. Throws an Error that names the file if it cannot be used. */
export async function loadEncryptionKeys({
  encryption_keys,
  data_dir,
}: Pick<Config, 'encryption_keys' | 'data_dir'>): Promise<EncryptionKey[]> {
  if (encryption_keys) return encryption_keys
  const path = join(data_dir, ENCRYPTION_KEYS_FILE)
  const known = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  if (known === undefined) {
    // Named by chance, so that a secret of another folder's key is told as such. Another router on this folder may be quicker: then its key stands.
    await createPrivateFile(path, `k${randomBytes(4).toString('hex')}:${randomBytes(32).toString('base64')}\n`)
    return loadEncryptionKeys({ encryption_keys, data_dir })
  }
  const keys = parseEncryptionKeys(known.trim())
  if (keys) return keys
  throw new Error(
    `${path} cannot be read. Put its copy back; without it secrets of webhooks are lost and addresses of files stop working.`,
  )
}
