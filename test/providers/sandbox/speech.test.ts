// The sandbox's speech in every format, read back by libraries that know the formats, and its transcription of it.
import { fileTypeFromBuffer } from 'file-type'
import { parseBuffer } from 'music-metadata'
import { describe, expect, test } from 'vitest'
import type { Call, SpeechRequest } from '../../../src/contract.ts'
import { callFor, capability } from './sandbox.ts'

const speech = capability('speech')
const TEXT = 'Hello, "dear" world. Grüße!'

async function speak(request: Partial<SpeechRequest> = {}, call: Partial<Call> = {}) {
  const whole = { model: 'sandbox/speech', input: TEXT, voice: 'alloy', format: 'wav', ...request }
  const progress = await speech.start(whole, callFor('speech', call))
  if (progress.status !== 'done' || progress.output.audio.type !== 'bytes') throw new Error('no file')
  const { data, media_type } = progress.output.audio
  return {
    file: Buffer.from(data),
    media_type,
    usage: progress.usage,
    estimate: speech.estimate?.(whole, 'speech', {}),
  }
}

describe('a sound', () => {
  test.each([
    ['wav', 'audio/wav', 'audio/wav', 'PCM'],
    ['mp3', 'audio/mpeg', 'audio/mpeg', 'MPEG 2 Layer 3'],
    ['opus', 'audio/ogg', 'audio/ogg; codecs=opus', 'Opus'],
    ['aac', 'audio/aac', 'audio/aac', 'AAC'],
    ['flac', 'audio/flac', 'audio/flac', 'FLAC'],
  ])('in %s is a true file of that kind, 60 ms a character at 24 kHz', async (format, media_type, found, codec) => {
    const { file, media_type: said } = await speak({ format })
    expect(said).toBe(media_type)
    expect((await fileTypeFromBuffer(file))?.mime).toBe(found)
    const { format: facts } = await parseBuffer(file, { mimeType: media_type }, { duration: true })
    expect(facts).toMatchObject({ codec, sampleRate: 24_000, numberOfChannels: 1 })
    const seconds = [...TEXT].length * 0.06
    expect(facts.duration).toBeGreaterThanOrEqual(seconds - 0.01)
    expect(facts.duration).toBeLessThan(seconds + 0.15)
  })

  test('in WAV has a header of 44 bytes and then the samples that PCM gives bare', async () => {
    const [wav, pcm] = [(await speak({ format: 'wav' })).file, (await speak({ format: 'pcm' })).file]
    expect(wav.toString('latin1', 36, 40)).toBe('data')
    expect(wav.readUInt32LE(40)).toBe(pcm.length)
    expect(wav.subarray(44, 44 + pcm.length).equals(pcm)).toBe(true)
    expect(wav.readUInt32LE(4)).toBe(wav.length - 8)
  })

  test('in FLAC carries the same samples', async () => {
    const [flac, pcm] = [
      (await speak({ format: 'flac', input: 'Hi' })).file,
      (await speak({ format: 'pcm', input: 'Hi' })).file,
    ]
    expect(
      flac
        .subarray(-2 - pcm.length, -2)
        .swap16()
        .equals(pcm),
    ).toBe(true)
  })

  test('is not silent where letters are, and is where they are not', async () => {
    const { file } = await speak({ format: 'pcm', input: 'a a' })
    const loudest = [0, 1, 2].map((note) => {
      const samples = Array.from({ length: 1440 }, (_, at) => Math.abs(file.readInt16LE((note * 1440 + at) * 2)))
      return Math.max(...samples)
    })
    expect(loudest[0]).toBeGreaterThan(4000)
    expect(loudest[1]).toBe(0)
    expect(loudest[2]).toBe(loudest[0])
  })

  test.each(['wav', 'mp3', 'opus', 'aac', 'flac'])(
    'in %s is the same twice and another for another voice',
    async (format) => {
      const [first, again, other] = [
        await speak({ format }),
        await speak({ format }),
        await speak({ format, voice: { id: 'verse' } }),
      ]
      expect(first.file.equals(again.file)).toBe(true)
      expect(first.file.equals(other.file)).toBe(false)
    },
  )

  test('is half as long at twice the speed, and never longer than half a minute', async () => {
    const [once, twice] = [await speak({ format: 'pcm' }), await speak({ format: 'pcm', speed: 2 })]
    expect(twice.file.length * 2).toBe(once.file.length)
    const long = await speak({ format: 'pcm', input: 'words '.repeat(682), speed: 0.25 })
    expect(long.file.length / 48_000).toBeLessThan(31)
  })
})

describe('a request', () => {
  test('is charged by the character as sent, and estimated at exactly that', async () => {
    const { usage, estimate } = await speak({ input: 'Grüße 🎉 [[delay:1ms]]' })
    expect(usage).toEqual({ meters: { characters: 21 }, source: 'reported' })
    expect(estimate).toEqual({ ...usage, source: 'estimated' })
  })

  test.each<[Partial<SpeechRequest>, string]>([
    [{ format: 'midi' }, 'response_format'],
    [{ input: '' }, 'input'],
    [{ input: 'x'.repeat(4097) }, 'input'],
    [{ input: '[[cut]]' }, 'input'],
    [{ speed: 0.2 }, 'speed'],
    [{ speed: Number.NaN }, 'speed'],
    [{ voice: '' }, 'voice'],
    [{ voice: { name: 'alloy' } }, 'voice'],
  ])('%# with a bad field is refused, naming it', async (request, param) => {
    await expect(speak(request)).rejects.toMatchObject({ kind: 'invalid_request', detail: { param } })
  })

  test('obeys the orders in its input, which are not spoken', async () => {
    await expect(speak({ input: '[[fail:content_policy]]' })).rejects.toMatchObject({ kind: 'content_policy' })
    await expect(speak({ input: '[[fail:overloaded once]] Hi' }, { job: 'job_s' })).rejects.toMatchObject({
      kind: 'overloaded',
    })
    const spoken = await speak({ input: '[[fail:overloaded once]] Hi' }, { job: 'job_s' })
    expect(spoken.file.equals((await speak({ input: 'Hi' })).file)).toBe(true)
  })

  test.each(['mp3', 'opus'])('that is aborted ends in the midst of making %s', async (format) => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 5)
    const request = { format, input: 'words '.repeat(682) }
    await expect(speak(request, { signal: controller.signal })).rejects.toMatchObject({ kind: 'canceled' })
  })
})
