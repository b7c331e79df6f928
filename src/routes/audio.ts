// /v1/audio: speech from text, text from speech, English text from speech.
import type { TranscriptionRequest } from '../contract.ts'
import { runGeneration } from '../flow/generate.ts'
import { outputText } from '../flow/output_text.ts'
import type { Services } from '../flow/services.ts'
import { submitGeneration } from '../flow/submit.ts'
import { measureSound, takeUpload } from '../flow/uploads.ts'
import { clientSignal } from '../http/abort.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter, Context } from '../http/context.ts'
import { streamBody } from '../http/sse.ts'
import { shortUsd } from '../ledger/money.ts'
import { readSpeechRequest, speechEvents } from '../protocols/openai-media/speech_request.ts'
import { transcriptUsage } from '../protocols/openai-media/transcript.ts'
import {
  readTranscriptionRequest,
  TRANSCRIPTION_FORM,
  transcriptEvents,
} from '../protocols/openai-media/transcription_request.ts'
import { WireError } from '../protocols/wire_error.ts'
import { accepted, nameJob, prefersAsync, sendText, tellCost } from './answer.ts'
import { takeExtensions } from './extensions.ts'
import { filesByField, readFormBody } from './media_body.ts'

export function audioRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/audio/speech', (context) => speak(services, context))
  router.post('/v1/audio/transcriptions', (context) => transcribe(services, context, 'transcribe'))
  router.post('/v1/audio/translations', (context) => transcribe(services, context, 'translate'))
}

async function speak(services: Services, context: Context): Promise<void> {
  const { value } = await readJson(context.req, services.config.body_bytes_max)
  const { body, extensions } = takeExtensions(value)
  const { request, events } = readSpeechRequest(body)
  const {
    caller,
    request: { id: request_id },
  } = context.state
  const submission = { ...extensions, endpoint: 'audio.speech', request_id }
  if (prefersAsync(context)) {
    return accepted(context, await submitGeneration(services, caller, 'speech', request, submission))
  }
  const { work, cost, usage, files } = await runGeneration(services, caller, {
    ...submission,
    operation: 'speech',
    request,
    gone: clientSignal(context),
    keep_files: false,
    opened: (job) => nameJob(context, job),
  })
  tellCost(context, work.job, cost)
  const [file] = files
  if (!file) throw new Error(`Job ${work.job._id} was charged and has no sound.`)
  if (events) return streamBody(context, each(speechEvents(file.data, usage, shortUsd(cost))))
  context.set('content-type', file.media_type)
  context.body = Buffer.from(file.data.buffer, file.data.byteOffset, file.data.byteLength)
}

async function transcribe(services: Services, context: Context, task: TranscriptionRequest['task']): Promise<void> {
  const { fields, files, extensions } = await readFormBody(context, services, TRANSCRIPTION_FORM)
  const [upload] = filesByField(files, { file: 1 }).file
  const call = readTranscriptionRequest(fields, task)
  if (!upload) throw new WireError("'file' is required: upload a recording.", 'file', 'missing_required_parameter')
  const gone = clientSignal(context)
  const max_bytes = services.config.body_bytes_max
  const audio = await takeUpload(upload, { param: 'file', kinds: ['audio', 'video'], max_bytes, signal: gone })
  const request = { ...call.request, audio, seconds: await measureSound(audio, 'file') }
  const {
    caller,
    request: { id: request_id },
  } = context.state
  const endpoint = task === 'translate' ? 'audio.translations' : 'audio.transcriptions'
  const submission = { ...extensions, endpoint, request_id, echo: { response_format: request.format, task } }
  if (prefersAsync(context)) {
    return accepted(context, await submitGeneration(services, caller, 'transcription', request, submission))
  }
  const { work, cost, usage, output } = await runGeneration(services, caller, {
    ...submission,
    operation: 'transcription',
    request,
    gone,
    keep_files: false,
    opened: (job) => nameJob(context, job),
  })
  tellCost(context, work.job, cost)
  const cost_usd = shortUsd(cost)
  if (call.stream) return streamBody(context, each(transcriptEvents(output.text, transcriptUsage({ usage, cost_usd }))))
  sendText(context, outputText('transcription', { output, usage, job: work.job, cost_usd }))
}

async function* each(events: Iterable<string>): AsyncGenerator<string> {
  yield* events
}
