// Files in a caller's request: an https address, a data URL or bare base64, as an Asset. It fetches nothing.
import type { Asset } from '../contract.ts'
import { WireError } from './wire_error.ts'

/** An https address, or a data URL as its bytes; `param` names the field for faults. Throws WireError. */
export function readAddress(url: string, param: string): Asset {
  const data = /^data:([^;,]*)((?:;[^;,]*)*),/i.exec(url)
  if (!data) {
    if (!/^https?:\/\//i.test(url)) throw new WireError(`'${param}' must be an https or a data URL.`, param)
    return { type: 'url', url }
  }
  const media_type = data[1] || 'application/octet-stream'
  const rest = url.slice(data[0].length)
  if (/;base64$/i.test(data[2] ?? '')) return readBase64(rest, media_type, param)
  try {
    return { type: 'bytes', data: Buffer.from(decodeURIComponent(rest)), media_type }
  } catch {
    throw new WireError(`'${param}' is not a well-formed data URL.`, param)
  }
}

/** Throws WireError for what is not base64. */
export function readBase64(base64: string, media_type: string, param: string): Extract<Asset, { type: 'bytes' }> {
  const data = Buffer.from(base64, 'base64')
  if (data.length === 0) throw new WireError(`'${param}' is not base64 data.`, param)
  return { type: 'bytes', data, media_type }
}

/** The address of a file for a provider: its own, or a data URL. */
export function addressOf(asset: Asset): string {
  return asset.type === 'url' ? asset.url : `data:${asset.media_type};base64,${base64Of(asset.data)}`
}

export const base64Of = (data: Uint8Array): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
