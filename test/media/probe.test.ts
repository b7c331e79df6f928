// Lengths and sizes, measured from the content: of honest files exactly, of lying ones by what they hold.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { probe, Unmeasurable } from '../../src/media/probe.ts'
import { aac, box, element, film, flac, mp3, opus, picture, SOUND_SECONDS, wav, words } from './samples.ts'

const secondsOf = async (file: Uint8Array, media_type: string) => (await probe(file, media_type)).seconds ?? -1

/** A copy with something changed in it. */
function forged(file: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(file)
  change(copy)
  return copy
}

describe('sounds', () => {
  it('that are honest are measured within a frame', async () => {
    expect(await secondsOf(wav, 'audio/wav')).toBeCloseTo(SOUND_SECONDS, 6)
    expect(await secondsOf(flac, 'audio/flac')).toBeCloseTo(SOUND_SECONDS, 6)
    expect(Math.abs((await secondsOf(opus, 'audio/ogg')) - SOUND_SECONDS)).toBeLessThan(0.03)
    expect(Math.abs((await secondsOf(mp3, 'audio/mpeg')) - SOUND_SECONDS)).toBeLessThan(0.1)
    expect(Math.abs((await secondsOf(aac, 'audio/aac')) - SOUND_SECONDS)).toBeLessThan(0.1)
    expect(await secondsOf(Buffer.alloc(48_000), 'audio/pcm')).toBe(1)
    expect(await secondsOf(Buffer.alloc(48_000), 'audio/pcm;rate=16000')).toBe(1.5)
  })

  it('are read from a file as well', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sw-probe-'))
    await writeFile(join(folder, 'a.wav'), wav)
    expect((await probe(join(folder, 'a.wav'), 'audio/wav')).seconds).toBeCloseTo(SOUND_SECONDS, 6)
    await rm(folder, { recursive: true })
  })

  it('whose WAV header says less than the file holds count whole', async () => {
    const data = wav.indexOf('data')
    const short = forged(wav, (copy) => copy.writeUInt32LE(100, data + 4))
    const streamed = forged(wav, (copy) => copy.writeUInt32LE(0xffffffff, data + 4))
    const fast = forged(wav, (copy) => copy.writeUInt32LE(0x7fffffff, 28))
    for (const file of [short, streamed, fast]) {
      expect(Math.abs((await secondsOf(file, 'audio/wav')) - SOUND_SECONDS)).toBeLessThan(0.01)
    }
  })

  it('that are compressed in WAV are refused: only the header would know', async () => {
    const adpcm = forged(wav, (copy) => copy.writeUInt16LE(0x11, 20))
    await expect(probe(adpcm, 'audio/wav')).rejects.toBeInstanceOf(Unmeasurable)
  })

  it('whose MP3 counts one frame in its Xing header have all of them counted', async () => {
    const first = mp3.indexOf(Buffer.from([0xff, 0xf3]))
    // 64 kbit/s at 24 kHz; the header's place in a mono frame of MPEG-2.
    const information = Buffer.concat([mp3.subarray(first, first + 4), Buffer.alloc(188)])
    information.write('Xing', 13, 'latin1')
    words(1, 1).copy(information, 17)
    const file = Buffer.concat([information, mp3.subarray(first)])
    expect(Math.abs((await secondsOf(file, 'audio/mpeg')) - SOUND_SECONDS)).toBeLessThan(0.1)
  })

  it('in MP3 are found behind a picture and behind garbage', async () => {
    const tag = Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\x7f\x7f', 'latin1'), Buffer.alloc(16_383, 0xff)])
    for (const before of [tag, Buffer.alloc(5000, 0xff), Buffer.from('\xff\xf3garbage', 'latin1')]) {
      const seconds = await secondsOf(Buffer.concat([before, mp3]), 'audio/mpeg')
      expect(Math.abs(seconds - SOUND_SECONDS)).toBeLessThan(0.1)
    }
  })

  it('whose FLAC header says less, or nothing, are measured by their last frames', async () => {
    const total = 8 + 14
    for (const claim of [0, 24]) {
      const file = forged(flac, (copy) => copy.writeUInt32BE(claim, total))
      expect(Math.abs((await secondsOf(file, 'audio/flac')) - SOUND_SECONDS)).toBeLessThan(0.01)
    }
  })

  it('whose Ogg clock stands still are measured by their packets', async () => {
    const stopped = forged(opus, (copy) => {
      for (let at = copy.indexOf('OggS'); at >= 0; at = copy.indexOf('OggS', at + 4)) copy.writeBigInt64LE(0n, at + 6)
    })
    expect(Math.abs((await secondsOf(stopped, 'audio/ogg')) - SOUND_SECONDS)).toBeLessThan(0.1)
  })
})

describe('films', () => {
  it('have a length and a size', async () => {
    expect(await probe(await film(), 'video/mp4')).toEqual({ seconds: 3, width: 320, height: 180 })
  })
})

/** A sound track of MP4 at 24 kHz; `claimed` and the samples' durations in its ticks. */
function m4a({ claimed = 48_000, ticks = 1024, count = 47, fragments = [] as Buffer[] }): Buffer {
  const sound = Buffer.concat([words(0, 1), Buffer.alloc(8), words(0x00010010, 0, (24_000 << 16) >>> 0)])
  const stsd = box('stsd', words(0, 1), box('mp4a', sound))
  const stbl = box('stbl', stsd, box('stts', words(0, 1, count, ticks)), box('stsz', words(0, 100, count)))
  const mdhd = box('mdhd', words(0, 0, 0, 24_000, claimed, 0))
  const hdlr = box('hdlr', words(0, 0), Buffer.from('soun'), words(0, 0, 0))
  const tkhd = box('tkhd', words(0, 0, 0, 7, 0, claimed, ...Array(15).fill(0)))
  const mvex = box('mvex', box('trex', words(0, 7, 1, 1024, 0, 0)))
  const moov = box('moov', box('trak', tkhd, box('mdia', mdhd, hdlr, box('minf', stbl))), mvex)
  return Buffer.concat([box('ftyp', Buffer.from('M4A '), words(0)), moov, ...fragments, box('mdat', Buffer.alloc(100))])
}

describe('MP4 sounds', () => {
  it('are the sum of their samples, whatever the header says', async () => {
    expect(await secondsOf(m4a({}), 'audio/mp4')).toBeCloseTo(2, 6)
    expect(await secondsOf(m4a({ claimed: 1 }), 'audio/mp4')).toBeCloseTo((47 * 1024) / 24_000, 6)
  })

  it('whose table gives each sample no time are counted by their samples', async () => {
    expect(await secondsOf(m4a({ claimed: 47, ticks: 1 }), 'audio/mp4')).toBeCloseTo((47 * 1024) / 24_000, 6)
  })

  it('in fragments are added up', async () => {
    const plain = box('moof', box('traf', box('tfhd', words(0x20000, 7)), box('trun', words(0, 10))))
    const timed = box('moof', box('traf', box('tfhd', words(8, 7, 2048)), box('trun', words(0, 5))))
    const single = box('moof', box('traf', box('tfhd', words(0, 7)), box('trun', words(0x301, 2, 0, 512, 9, 512, 9))))
    const file = m4a({ claimed: 0, count: 0, fragments: [plain, timed, single] })
    expect(await secondsOf(file, 'audio/mp4')).toBeCloseTo((10 * 1024 + 5 * 2048 + 2 * 512) / 24_000, 6)
  })
})

describe('WebM', () => {
  const packet = Buffer.from([0x80 | ((15 << 3) & 0x78), 0])
  const block = (ms: number, size = 100) =>
    element(0xa3, Buffer.from([0x81, ms >> 8, ms & 255, 0x80]), packet, Buffer.alloc(size))
  const tracks = element(
    0x1654ae6b,
    element(0xae, element(0xd7, Buffer.from([1])), element(0x86, Buffer.from('A_OPUS'))),
  )
  const start = Buffer.concat([element(0x1a45dfa3, Buffer.alloc(4)), element(0x18538067)])
  const cluster = (at: number, ...blocks: Buffer[]) =>
    Buffer.concat([element(0x1f43b675), element(0xe7, words(at)), ...blocks])

  it('as browsers record it, without a length, is measured by its blocks', async () => {
    const file = Buffer.concat([start, tracks, cluster(0, block(0), block(900)), cluster(1000, block(0), block(1500))])
    expect(await secondsOf(file, 'video/webm')).toBeCloseTo(2.5, 2)
  })

  it('is as long as its header says where the blocks bear it out', async () => {
    const duration = Buffer.alloc(8)
    duration.writeDoubleBE(1480)
    const info = element(0x1549a966, element(0x4489, duration))
    const file = Buffer.concat([start, info, tracks, cluster(0, block(0), block(900))])
    expect(await secondsOf(file, 'video/webm')).toBeCloseTo(1.48, 6)
    duration.writeDoubleBE(10)
    const short = Buffer.concat([
      start,
      element(0x1549a966, element(0x4489, duration)),
      tracks,
      cluster(0, block(0), block(900)),
    ])
    expect(await secondsOf(short, 'video/webm')).toBeCloseTo(0.9, 6)
  })

  it('whose clock stands still is measured by its packets', async () => {
    const file = Buffer.concat([start, tracks, cluster(0, ...Array.from({ length: 100 }, () => block(0)))])
    expect(await secondsOf(file, 'video/webm')).toBeGreaterThan(0.2)
  })
})

describe('pictures', () => {
  it('have a size', async () => {
    expect(await probe(await picture(64, 48).webp().toBuffer(), 'image/webp')).toEqual({ width: 64, height: 48 })
    await expect(probe(Buffer.from('x'), 'image/png')).rejects.toBeInstanceOf(Unmeasurable)
  })
})

describe('garbage', () => {
  const TYPES = [
    'audio/wav',
    'audio/mpeg',
    'audio/aac',
    'audio/flac',
    'audio/ogg',
    'audio/mp4',
    'video/mp4',
    'video/webm',
    'audio/aiff',
    'audio/amr',
    'video/mpeg',
    'application/pdf',
  ]

  it.each(TYPES)('as %s is Unmeasurable', async (media_type) => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(3), Buffer.alloc(5000), Buffer.from('garbage'.repeat(99))]) {
      await expect(probe(bytes, media_type)).rejects.toBeInstanceOf(Unmeasurable)
    }
  })

  it('in the midst of a good file gives a number or Unmeasurable, never anything else', async () => {
    const files: [Buffer, string][] = [
      [wav.subarray(0, 3000), 'audio/wav'],
      [mp3.subarray(0, 3000), 'audio/mpeg'],
      [flac.subarray(0, 12_000), 'audio/flac'],
      [opus.subarray(0, 3000), 'audio/ogg'],
      [aac.subarray(0, 3000), 'audio/aac'],
      [m4a({}), 'audio/mp4'],
      [Buffer.from(await film()).subarray(-3000), 'video/mp4'],
    ]
    const fault = fc.record({
      file: fc.constantFrom(...files),
      at: fc.nat(3000),
      bytes: fc.uint8Array({ maxLength: 16 }),
    })
    await fc.assert(
      fc.asyncProperty(fault, async ({ file: [bytes, media_type], at, bytes: noise }) => {
        const broken = forged(bytes, (copy) =>
          copy.set(noise.subarray(0, Math.max(0, copy.length - at)), Math.min(at, copy.length)),
        )
        const seconds = await secondsOf(broken, media_type).catch((error) => {
          expect(error).toBeInstanceOf(Unmeasurable)
          return 1
        })
        expect(seconds).toBeGreaterThan(0)
      }),
      { numRuns: 300 },
    )
  })
})
