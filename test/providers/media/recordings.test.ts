// True answers of Google, ElevenLabs and Deepgram, recorded by others, read by their adapters: what was made is found, what it
// took is counted once, and none took more than the estimate.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import deepgram from '../../../providers/deepgram/index.ts'
import elevenlabs from '../../../providers/elevenlabs/index.ts'
import type { Call, ImageRequest, Progress, TranscriptionRequest } from '../../../src/contract.ts'
import { geminiImage } from '../../../src/protocols/gemini-media/image.ts'
import { makeProviderFetch } from '../../../src/protocols/transport.ts'
import { haveRecordings, type Recording, recordingsOf } from '../recordings.ts'
import { Stub } from '../stub.ts'

const pictures = recordingsOf('gemini').filter(
  ({ endpoint, response }) =>
    /image[\w.-]*:generateContent$/.test(endpoint?.path ?? '') && /"inlineData"/.test(response.body_text ?? ''),
)
const [eleven] = recordingsOf('elevenlabs')
const [deep] = recordingsOf('deepgram')

const stub = new Stub()
const fetch = makeProviderFetch({ provider: 'Acme' })
beforeAll(() => stub.start())
afterAll(async () => {
  await fetch.close()
  await stub.stop()
})

const call = (upstream: string, options = {}): Call => ({
  job: 'job_1',
  upstream,
  options,
  signal: new AbortController().signal,
  log: { debug: () => {}, warn: () => {} },
})
const play = ({ response }: Recording) => {
  stub.answer = (answer) => answer.writeHead(200, { 'content-type': 'application/json' }).end(response.body_text)
}
function made<Output>(progress: Progress<Output> | undefined) {
  if (progress?.status !== 'done') throw new Error(`it is ${progress?.status}`)
  return progress
}

describe.skipIf(!haveRecordings)('recorded answers', () => {
  it('are there', () => {
    expect(pictures.length).toBeGreaterThan(3)
  })

  it.each(pictures.map((recording) => [recording.id, recording] as const))(
    '%s has a picture',
    async (_id, recording) => {
      const upstream = /models\/([\w.-]+):/.exec(recording.endpoint?.path ?? '')?.[1] ?? ''
      const image = geminiImage({ provider: 'Google', base_url: stub.url, api_key: 'key', fetch })
      const contents = JSON.stringify(recording.request?.body?.contents)
      const request: ImageRequest = { model: upstream, prompt: contents, n: 1 }
      play(recording)
      const { output, usage } = made(await image.start(request, call(upstream)))
      expect(output.images.length).toBe(1)
      const told = JSON.parse(recording.response.body_text ?? '').usageMetadata
      const { images, ...tokens } = usage.meters
      expect(images).toBe(1)
      expect(Object.values(tokens).reduce((sum, each) => sum + each, 0)).toBe(told.totalTokenCount)
      expect(tokens.output_image_tokens).toBe(told.candidatesTokensDetails[0].tokenCount)
      const estimate = image.estimate?.(request, upstream, {})
      for (const [meter, quantity] of Object.entries(usage.meters))
        expect(estimate?.meters[meter as 'images'], meter).toBeGreaterThanOrEqual(quantity)
    },
  )

  it.each([
    ['elevenlabs', elevenlabs, eleven],
    ['deepgram', deepgram, deep],
  ] as const)('%s tells every word, who said it and when', async (_id, definition, recording) => {
    if (!recording) throw new Error('It is not there.')
    const settings = definition.settings.parse({ api_key: 'key', base_url: stub.url })
    const { transcription } = definition.connect(settings, { fetch })
    const request: TranscriptionRequest = {
      model: 'm',
      audio: { type: 'bytes', data: Buffer.from('sound'), media_type: 'audio/wav' },
      seconds: 40,
      task: 'transcribe',
      format: 'verbose_json',
      words: true,
      speakers: true,
    }
    play(recording)
    const { output, usage } = made(await transcription?.start(request, call('m')))
    const plain = (text: string) => text.toLowerCase().replace(/[^a-z]+/g, '')
    expect(plain((output.words ?? []).map(({ word }) => word).join(''))).toBe(plain(output.text))
    expect(plain((output.segments ?? []).map(({ text }) => text).join(''))).toBe(plain(output.text))
    expect(new Set(output.words?.map(({ speaker }) => speaker))).toEqual(new Set(['A']))
    expect(usage.meters.audio_seconds).toBeLessThanOrEqual(40)
  })
})
