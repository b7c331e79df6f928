// The length of one Opus packet by its first bytes (RFC 6716, section 3.1).

const SILK_MS = [10, 20, 40, 60]
const HYBRID_MS = [10, 20]
const CELT_MS = [2.5, 5, 10, 20]

export function opusPacketSeconds(packet: Uint8Array): number {
  const [head, count = 0] = packet
  if (head === undefined) return 0
  const config = head >> 3
  const frame_ms = (config < 12 ? SILK_MS[config % 4] : config < 16 ? HYBRID_MS[config % 2] : CELT_MS[config % 4]) ?? 0
  const code = head & 3
  const frames = code === 0 ? 1 : code < 3 ? 2 : count & 63
  // A packet holds at most 120 ms; one that says more is not decoded.
  return Math.min(frames * frame_ms, 120) / 1000
}
