// The length of a WAV file: bytes of samples by the size of a second of them. Uncompressed samples only: in others a
// header alone would say how long a second is.

const PCM_FORMATS = new Set([1, 3, 6, 7])
const EXTENSIBLE = 0xfffe

export function wavSeconds(bytes: Buffer): number | undefined {
  if (!/^(RIFF|RF64)$/.test(bytes.toString('latin1', 0, 4)) || bytes.toString('latin1', 8, 12) !== 'WAVE')
    return undefined
  let bytes_a_second: number | undefined
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = bytes.toString('latin1', at, at + 4)
    const size = bytes.readUInt32LE(at + 4)
    at += 8
    if (name === 'fmt ') bytes_a_second = bytesASecond(bytes.subarray(at, at + size))
    if (name === 'data') {
      if (!bytes_a_second) return undefined
      return soundBytes(bytes, at, size) / bytes_a_second
    }
    at += size + (size % 2)
  }
  return undefined
}

function bytesASecond(format: Buffer): number | undefined {
  const tag = format.readUInt16LE(0)
  const kind = tag === EXTENSIBLE ? format.readUInt16LE(24) : tag
  const bits = format.readUInt16LE(14)
  if (!PCM_FORMATS.has(kind)) return undefined
  // Not the field that says bytes a second, for no player looks at it.
  return format.readUInt32LE(4) * format.readUInt16LE(2) * Math.ceil(bits / 8)
}

/**
 * The samples end where their chunk says only if whole chunks follow up to the end of the file. Else (a stream whose
 * size was not known, a size that lies) everything counts: some readers ignore the size.
 */
function soundBytes(bytes: Buffer, start: number, size: number): number {
  let at = start + size + (size % 2)
  while (at + 8 <= bytes.length && /^[\x20-\x7e]{4}$/.test(bytes.toString('latin1', at, at + 4))) {
    const next = bytes.readUInt32LE(at + 4)
    at += 8 + next + (next % 2)
  }
  const whole = start + size <= bytes.length && Math.abs(at - bytes.length) <= 1
  return whole ? size : bytes.length - start
}
