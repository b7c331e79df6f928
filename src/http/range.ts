// The Range header of a download (RFC 9110, section 14): one range, or the whole. Pure.

export interface ByteRange {
  start: number
  /** The last byte, which belongs to it. */
  end: number
}

/**
 * 'whole' where the header is absent, asks for several ranges or cannot be read, which a server may answer in full;
 * 'none' where the range lies outside the file.
 */
export function parseRange(header: string, bytes: number): ByteRange | 'whole' | 'none' {
  const [, first = '', last = ''] = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(header) ?? []
  if (first === '' && last === '') return 'whole'
  if (first === '') {
    const count = Math.min(Number(last), bytes)
    return count === 0 ? 'none' : { start: bytes - count, end: bytes - 1 }
  }
  const start = Number(first)
  const end = last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1)
  if (last !== '' && Number(last) < start) return 'whole'
  return start >= bytes ? 'none' : { start, end }
}
