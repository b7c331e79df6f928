// What the router's own keys do: encrypt secrets at rest, and sign what must come back unchanged. The first key encrypts
// and signs, all of them decrypt and verify, so a new one is put in front and the old one stays until nothing needs it.
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { EncryptionKey } from '../../config.ts'

/** What is signed for one purpose is worth nothing for another. */
export type SigningPurpose = 'output' | 'hook'

const IV_BYTES = 12
const TAG_BYTES = 16

export class Secrets {
  readonly #keys: EncryptionKey[]
  readonly #derived = new Map<string, Buffer>()

  /** At least one key. */
  constructor(keys: EncryptionKey[]) {
    this.#keys = keys
  }

  /** AES-256-GCM: `key id.bytes`. `context` says where it belongs, and it opens nowhere else. */
  seal(secret: string, context: string): string {
    const key = this.#first
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#derive(key, 'seal'), iv).setAAD(Buffer.from(context))
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
    return `${key.id}.${Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')}`
  }

  /** Throws an Error for what no key here has sealed, or not for this context. */
  open(sealed: string, context: string): string {
    const [id, text = ''] = sealed.split('.', 2)
    const key = this.#keys.find((each) => each.id === id)
    if (!key) throw new Error(`A secret was encrypted with the key '${id}', which ENCRYPTION_KEYS does not have.`)
    const bytes = Buffer.from(text, 'base64url')
    const iv = bytes.subarray(0, IV_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', this.#derive(key, 'seal'), iv, { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
    return decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
  }

  /** 43 characters that may stand in an address. */
  sign(purpose: SigningPurpose, parts: (string | number)[]): string {
    return this.#hmac(this.#first, purpose, parts).toString('base64url')
  }

  /** In constant time for each key. */
  verify(purpose: SigningPurpose, parts: (string | number)[], signature: string): boolean {
    const given = Buffer.from(signature, 'base64url')
    // Every key is tried, so that the time does not tell which one it was.
    const found = this.#keys.map((key) => {
      const wanted = this.#hmac(key, purpose, parts)
      return given.length === wanted.length && timingSafeEqual(given, wanted)
    })
    return found.includes(true) && given.toString('base64url') === signature
  }

  #hmac(key: EncryptionKey, purpose: SigningPurpose, parts: (string | number)[]): Buffer {
    return createHmac('sha256', this.#derive(key, purpose)).update(JSON.stringify(parts)).digest()
  }

  /** A key of its own for each use. */
  #derive({ id, key }: EncryptionKey, use: string): Buffer {
    const name = `${id} ${use}`
    const derived = this.#derived.get(name) ?? Buffer.from(hkdfSync('sha256', key, '', `switchyard ${use}`, 32))
    this.#derived.set(name, derived)
    return derived
  }

  get #first(): EncryptionKey {
    const [first] = this.#keys
    if (!first) throw new Error('There is no encryption key.')
    return first
  }
}
