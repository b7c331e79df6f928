// The text of a code for credit: 100 random bits in letters that people do not take for each other. Only its SHA-256 is
// ever kept.
import { hash, randomBytes } from 'node:crypto'

// Crockford's: no I, L, O, U.
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const LENGTH = 20
const GROUP = 5
const CODE = new RegExp(`^[${LETTERS}]{${LENGTH}}$`)

/** `7K2M9-…`: four groups of five. */
export function newCodeText(): string {
  const letters = [...randomBytes(LENGTH)].map((byte) => LETTERS.charAt(byte % LETTERS.length)).join('')
  return (letters.match(new RegExp(`.{${GROUP}}`, 'g')) ?? []).join('-')
}

/** The code's letters, however it was typed; undefined for what can be none. */
export function readCodeText(text: string): string | undefined {
  const letters = text.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1')
  return CODE.test(letters) ? letters : undefined
}

export const hashOfCode = (letters: string): string => hash('sha256', `code ${letters}`)

/** What people recognise a code by: 25 bits of it, which leaves 75 to guess. */
export const prefixOfCode = (letters: string): string => letters.slice(0, GROUP)
