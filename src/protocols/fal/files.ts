// Files for fal's models: small ones as data: URLs within the request, larger ones through fal's own store.
import { z } from 'zod'
import type { Asset, Call } from '../../contract.ts'
import { addressOf } from '../address.ts'
import { unreadable } from '../faults.ts'
import { sendOrThrow } from '../send.ts'
import { readBody } from '../transport.ts'
import { FAL } from './errors.ts'
import { askFal, type FalServer, queueUrl, readFal, restUrl } from './http.ts'

const DATA_URL_BYTES_MAX = 4 * 2 ** 20
const ANSWER_BYTES_MAX = 2 ** 20
const Initiated = z.looseObject({ upload_url: z.url(), file_url: z.url() })
const OWN_HOSTS = /(?:^|\.)fal\.(?:media|ai|run)$/

/** The address under which models read the file. */
export async function placeFile(server: FalServer, file: Asset, { signal }: Pick<Call, 'signal'>): Promise<string> {
  if (file.type === 'url') return file.url
  const { data, media_type, filename } = file
  if (data.byteLength <= DATA_URL_BYTES_MAX) return addressOf(file)
  const body = { content_type: media_type, file_name: filename ?? `file.${media_type.split('/')[1] ?? 'bin'}` }
  const url = `${restUrl(server)}/storage/upload/initiate?storage_type=fal-cdn-v3`
  const { upload_url, file_url } = readFal(Initiated, await askFal(server, 'POST', url, { body, signal }))
  checkUploadUrl(server, upload_url)
  const request = {
    method: 'PUT' as const,
    url: upload_url,
    headers: { 'content-type': media_type },
    body: data,
    signal,
  }
  await readBody(await sendOrThrow(server.fetch, request, FAL), ANSWER_BYTES_MAX)
  return file_url
}

/** A caller's file goes to fal and nowhere else, whatever an answer says. */
function checkUploadUrl(server: FalServer, upload_url: string): void {
  const { protocol, hostname, host } = new URL(upload_url)
  const is_own = protocol === 'https:' && OWN_HOSTS.test(hostname)
  if (!is_own && host !== new URL(queueUrl(server)).host)
    throw unreadable(FAL, new Error('an upload to a foreign host'))
}
