// A provider for tests that knows ratios and resolutions, speaks in samples alone and writes transcripts without voices. It
// needs no network.
import { z } from 'zod'
import { defineProvider, done, ProviderError } from '../../../src/contract.ts'

const RATE = 16_000
const SECONDS = 0.5

/** A steady tone, as raw samples. */
function tone(): Buffer {
  const bytes = Buffer.alloc(RATE * SECONDS * 2)
  for (let at = 0; at < bytes.length; at += 2) {
    bytes.writeInt16LE(Math.round(9000 * Math.sin((2 * Math.PI * 440 * at) / 2 / RATE)), at)
  }
  return bytes
}

/** What file readers take for an MP4. */
const film = Buffer.concat([Buffer.from([0, 0, 0, 16]), Buffer.from('ftypmp42'), Buffer.alloc(64)])

export default defineProvider({
  contract: 1,
  name: 'Stage',
  docs: 'test/theatre',
  settings: z.object({ on: z.string() }),
  connect: () => ({
    video: {
      takes: ['aspect_ratio', 'resolution', 'audio', 'negative_prompt'],
      start: async ({ seconds }) =>
        done(
          { video: { type: 'bytes', data: film, media_type: 'video/mp4' } },
          { meters: { video_seconds: seconds }, source: 'reported' },
        ),
    },
    speech: {
      formats: ['pcm', 'aac'],
      start: async ({ input, format }, call) => {
        const data = tone()
        call.sound?.(data.subarray(0, 4000))
        if (input.includes('stumble')) throw new ProviderError('unavailable', 'The speaker stumbled.')
        call.sound?.(data.subarray(4000))
        if (format !== 'pcm') throw new ProviderError('internal', `asked for ${format}`)
        return done(
          { audio: { type: 'bytes', data, media_type: `audio/pcm;rate=${RATE}` } },
          { meters: { characters: input.length }, source: 'counted' },
        )
      },
    },
    transcription: {
      start: async ({ seconds }) =>
        done(
          {
            text: 'One. Two.',
            segments: [
              { start: 0, end: 1, text: 'One.' },
              { start: 1, end: 2, text: 'Two.' },
            ],
          },
          { meters: { audio_seconds: seconds }, source: 'counted' },
        ),
    },
  }),
})
