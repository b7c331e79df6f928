// The text of an API key: `sk-sw-`, 256 random bits, and a checksum that tells a slip of the pen from a wrong key without
// asking the store. Only its SHA-256 is ever kept.
import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

const PREFIX = 'sk-sw-'
const RANDOM_LETTERS = 43
const CHECK_LETTERS = 6
const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const KEY = new RegExp(`^${PREFIX}[0-9A-Za-z]{${RANDOM_LETTERS + CHECK_LETTERS}}$`)

export function newKeyText(): string {
  const secret = base62(BigInt(`0x${randomBytes(32).toString('hex')}`), RANDOM_LETTERS)
  return `${PREFIX}${secret}${checksum(secret)}`
}

/** Whether it can be a key of ours at all. */
export function isKeyText(text: string): boolean {
  return KEY.test(text) && checksum(text.slice(PREFIX.length, -CHECK_LETTERS)) === text.slice(-CHECK_LETTERS)
}

export const hashOfKey = (text: string): string => hash('sha256', text)

/** What people recognise a key by: 36 bits of it, which leaves 220 to guess. */
export const prefixOfKey = (text: string): string => text.slice(0, PREFIX.length + 6)

const checksum = (secret: string) => base62(BigInt(crc32(PREFIX + secret)), CHECK_LETTERS)

function base62(value: bigint, length: number): string {
  let rest = value
  let text = ''
  while (text.length < length) {
    text = LETTERS.charAt(Number(rest % 62n)) + text
    rest /= 62n
  }
  return text
}
