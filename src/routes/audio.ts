// /v1/audio: speech from text, text from speech, English text from speech.
import type { TranscriptionRequest } from '../contract.ts'
import { type GenerationRun, runGeneration } from '../flow/media/generate.ts'
import { outputText } from '../flow/media/output_text.ts'
import { takeRecordings } from '../flow/media/recordings.ts'
import { type SpeechStreamRun, streamSpeech } from '../flow/media/speech_stream.ts'
import { streamTranscript, type TranscriptStreamRun } from '../flow/media/transcript_stream.ts'
import type { Services } from '../flow/services.ts'
import { submitGeneration } from '../flow/worker/submit.ts'
import { clientSignal } from '../http/abort.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter, Context } from '../http/context.ts'
import { streamBody } from '../http/sse.ts'
import { streamFile } from '../http/stream_file.ts'
import { shortUsd } from '../ledger/money.ts'
import { readSpeechRequest } from '../protocols/openai-media/speech_request.ts'
import { readTranscriptionRequest, TRANSCRIPTION_FORM } from '../protocols/openai-media/transcription_request.ts'
import { SOUND_TYPES } from '../protocols/sound/file.ts'
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
  const { request, stream } = readSpeechRequest(body)
  const {
    caller,
    request: { id: request_id },
  } = context.state
  const echo = { response_format: request.format }
  const submission = { ...extensions, endpoint: 'audio.speech', request_id, echo }
  if (prefersAsync(context)) {
    return accepted(context, await submitGeneration(services, caller, 'speech', request, submission))
  }
  const run: GenerationRun<'speech'> = {
    ...submission,
    operation: 'speech',
    request,
    gone: clientSignal(context),
    keep_files: false,
    opened: (job) => nameJob(context, job),
  }
  if (stream) {
    const charged: SpeechStreamRun['charged'] = (work, cost) => tellCost(context, work.job, cost)
    const pieces = streamSpeech(services, caller, { ...run, as: stream, charged })
    return stream === 'sse' ? streamBody(context, pieces) : streamFile(context, soundType(request.format), pieces)
  }
  const { work, cost, files } = await runGeneration(services, caller, run)
  tellCost(context, work.job, cost)
  const [file] = files
  if (!file) throw new Error(`Job ${work.job._id} was charged and has no sound.`)
  context.set('content-type', file.media_type)
  context.body = Buffer.from(file.data.buffer, file.data.byteOffset, file.data.byteLength)
}

const soundType = (format: string): string =>
  SOUND_TYPES[format as keyof typeof SOUND_TYPES] ?? 'application/octet-stream'

async function transcribe(services: Services, context: Context, task: TranscriptionRequest['task']): Promise<void> {
  const { fields, files, extensions } = await readFormBody(context, services, TRANSCRIPTION_FORM)
  const [upload] = filesByField(files, { file: 1 }).file
  const call = readTranscriptionRequest(fields, task)
  if (!upload) throw new WireError("'file' is required: upload a recording.", 'file', 'missing_required_parameter')
  const gone = clientSignal(context)
  const request = await takeRecordings(services, call, upload, gone)
  const {
    caller,
    request: { id: request_id },
  } = context.state
  const endpoint = task === 'translate' ? 'audio.translations' : 'audio.transcriptions'
  const echo = { response_format: request.format, task, timestamp_granularities: call.granularities }
  const submission = { ...extensions, endpoint, request_id, echo }
  if (prefersAsync(context)) {
    return accepted(context, await submitGeneration(services, caller, 'transcription', request, submission))
  }
  const run: GenerationRun<'transcription'> = {
    ...submission,
    operation: 'transcription',
    request,
    gone,
    keep_files: false,
    opened: (job) => nameJob(context, job),
  }
  if (call.stream) {
    const charged: TranscriptStreamRun['charged'] = (work, cost) => tellCost(context, work.job, cost)
    return streamBody(context, streamTranscript(services, caller, { ...run, charged }))
  }
  const { work, cost, usage, output } = await runGeneration(services, caller, run)
  tellCost(context, work.job, cost)
  sendText(context, outputText('transcription', { output, usage, job: work.job, cost_usd: shortUsd(cost) }))
}
