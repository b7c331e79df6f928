// Requests for films and transcripts as an estimate needs them: files that only count are not looked at, nothing is
// downloaded; a recording that was sent along is measured.

import { z } from 'zod'
import type { JsonObject, TranscriptionRequest, VideoRequest } from '../contract.ts'
import { planChange } from '../flow/media/film_change.ts'
import { defaultSeconds } from '../flow/media/generators.ts'
import { takeRecordings } from '../flow/media/recordings.ts'
import type { Caller, Services } from '../flow/services.ts'
import type { UploadedFile } from '../http/multipart.ts'
import { readTranscriptionRequest } from '../protocols/openai-media/transcription_request.ts'
import { REFERENCES_MAX, readChange, readVideoRequest } from '../protocols/openai-media/video_request.ts'
import { filesByField } from './media_body.ts'

/** A recording has a length: told, where it is not sent along. */
const recording = z.object({ seconds: z.coerce.number().positive() })

/** A file that is only counted. */
export const unseen = () => ({ type: 'bytes' as const, data: new Uint8Array(), media_type: 'application/octet-stream' })

/** With `video`, a film made of another one: longer by `seconds`, or changed where there are none. */
export async function filmRequest(
  services: Services,
  caller: Caller,
  body: JsonObject,
  files: UploadedFile[],
): Promise<VideoRequest> {
  const uploads = filesByField(files, { input_reference: 1, last_frame: 1, references: REFERENCES_MAX })
  if (body.video !== undefined) {
    const { id, change } = readChange(body.seconds === undefined ? 'remix' : 'extend', body)
    return (await planChange(services, caller, id, change)).request
  }
  const { request, pictures } = readVideoRequest(body)
  const references = (pictures.references ?? []).length + uploads.references.length
  return {
    ...request,
    seconds: request.seconds ?? defaultSeconds(services, request.model),
    ...((pictures.input_reference ?? uploads.input_reference[0]) && { first_frame: unseen() }),
    ...((pictures.last_frame ?? uploads.last_frame[0]) && { last_frame: unseen() }),
    ...(references > 0 && { references: Array.from({ length: references }, unseen) }),
  }
}

export async function recordingRequest(
  services: Services,
  { seconds, ...fields }: JsonObject,
  files: UploadedFile[],
  signal: AbortSignal,
): Promise<TranscriptionRequest> {
  const [file] = filesByField(files, { file: 1 }).file
  const call = readTranscriptionRequest(fields, 'transcribe')
  if (file) return takeRecordings(services, call, file, signal)
  const known_speakers = call.known_speakers.map(({ name }) => ({ name }))
  return {
    ...call.request,
    audio: unseen(),
    seconds: recording.parse({ seconds }).seconds,
    ...(known_speakers.length > 0 && { known_speakers }),
  }
}
