// What a measuring of a file finds, and which of two findings counts. Pure.

export interface Measure {
  seconds?: number
  width?: number
  height?: number
}

/** Frames count whole blocks; headers know better where within the last one the sound ends. */
const TOLERANCE_SECONDS = 0.25

/** The header's length where the content bears it out, else the content's. `last_seconds`: how much longer it may be. */
export function believable(claimed: number | undefined, shown: number, last_seconds = TOLERANCE_SECONDS): number {
  if (claimed === undefined) return shown
  return claimed >= shown - TOLERANCE_SECONDS && claimed <= shown + last_seconds ? claimed : shown
}

/** Where the tags before the sound end: ID3v2, which several formats may begin with, more than once. */
export function afterId3(bytes: Buffer): number {
  let at = 0
  while (at + 10 <= bytes.length && bytes.toString('latin1', at, at + 3) === 'ID3') {
    const size = [6, 7, 8, 9].reduce((sum, index) => sum * 128 + (bytes.readUInt8(at + index) & 0x7f), 0)
    const footer = bytes.readUInt8(at + 5) & 0x10 ? 10 : 0
    at += 10 + size + footer
  }
  return at
}
