// The sandbox's transcription: of its own speech the very text, of other recordings always the same one.
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import type { Call, TranscriptionRequest } from '../../../src/contract.ts'
import { wavOf } from '../../../src/protocols/sound/wav.ts'
import { callFor, capability, connect } from './sandbox.ts'

const connection = connect()
const recording = (data: Uint8Array) => ({ type: 'bytes' as const, data, media_type: 'application/octet-stream' })
const otherSound = wavOf({ samples: new Int16Array(24_000), rate: 24_000 }, 'A recording of somebody else')

async function transcribe(request: Partial<TranscriptionRequest> = {}, call: Partial<Call> = {}) {
  const whole: TranscriptionRequest = {
    model: 'sandbox/transcribe',
    audio: recording(otherSound),
    seconds: 12.5,
    task: 'transcribe',
    format: 'json',
    ...request,
  }
  const transcription = capability('transcription', connection)
  const progress = await transcription.start(whole, callFor('transcribe', call))
  if (progress.status !== 'done') throw new Error(`not done: ${progress.status}`)
  return { output: progress.output, usage: progress.usage, estimate: transcription.estimate?.(whole, 'transcribe', {}) }
}

async function spoken(input: string, format: string) {
  const progress = await capability('speech', connection).start(
    { model: 'x', input, voice: 'alloy', format },
    callFor('speech'),
  )
  if (progress.status !== 'done' || progress.output.audio.type !== 'bytes') throw new Error('no speech')
  return recording(progress.output.audio.data)
}

describe('a transcript', () => {
  test.each(['wav', 'mp3', 'opus', 'aac', 'flac'])(
    "of the sandbox's own %s is the text that was spoken",
    async (format) => {
      const text = 'Say "hello". \\ Grüße, 日本語 🎉!'
      expect((await transcribe({ audio: await spoken(text, format) })).output.text).toBe(text)
    },
  )

  test('of another recording is the same each time, and longer for a longer one', async () => {
    const [first, again, long] = [await transcribe(), await transcribe(), await transcribe({ seconds: 120 })]
    expect(first.output).toEqual(again.output)
    expect(first.output.text).toMatch(/^[A-Z].*\.$/)
    expect(long.output.text.split(' ').length).toBeGreaterThanOrEqual(300)
  })

  test('has segments that cover the recording in order', async () => {
    const { output } = await transcribe()
    const segments = output.segments ?? []
    expect(segments.map(({ text }) => text).join(' ')).toBe(output.text)
    expect([segments[0]?.start, segments.at(-1)?.end]).toEqual([0, 12.5])
    for (const [index, segment] of segments.entries()) {
      expect(segment.end).toBeGreaterThan(segment.start)
      expect(segments[index + 1]?.start ?? segment.end).toBe(segment.end)
    }
    expect(output).toMatchObject({ language: 'english', seconds: 12.5 })
  })

  test('of nothing spoken is empty', async () => {
    expect((await transcribe({ audio: await spoken('[[delay:1ms]]', 'wav') })).output).toMatchObject({
      text: '',
      segments: [],
    })
  })

  test('consumes the seconds that the router measured, as estimated', async () => {
    const { usage, estimate } = await transcribe()
    expect(usage).toEqual({ meters: { audio_seconds: 12.5 }, source: 'reported' })
    expect(estimate).toEqual({ ...usage, source: 'estimated' })
  })
})

describe('an upload', () => {
  test('is known by its bytes and not by its name: a film passes, a picture and a text do not', async () => {
    const webm = Buffer.concat([
      Buffer.from('1a45dfa39f4286810142f7810142f2810442f381084282847765626d', 'hex'),
      Buffer.alloc(32),
    ])
    expect((await transcribe({ audio: recording(webm) })).output.text).not.toBe('')
    const picture = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .png()
      .toBuffer()
    for (const data of [picture, Buffer.from('just words'), Buffer.alloc(0)]) {
      const audio = { ...recording(data), media_type: 'audio/mpeg', filename: 'a.mp3' }
      await expect(transcribe({ audio })).rejects.toMatchObject({ kind: 'invalid_request', detail: { param: 'file' } })
    }
  })

  test('is refused for a format that there is not', async () => {
    await expect(transcribe({ format: 'docx' })).rejects.toMatchObject({
      detail: { param: 'response_format' },
    })
  })

  test('obeys the orders in its prompt', async () => {
    await expect(transcribe({ prompt: '[[fail:timeout]]' })).rejects.toMatchObject({ kind: 'timeout' })
    const prompt = '[[delay:10ms]] [[fail:overloaded once]]'
    await expect(transcribe({ prompt }, { job: 'job_t' })).rejects.toMatchObject({ kind: 'overloaded' })
    expect((await transcribe({ prompt }, { job: 'job_t' })).output.text).not.toBe('')
  })
})
