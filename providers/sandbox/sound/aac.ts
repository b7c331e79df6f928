// An AAC file (ADTS, Low Complexity) of pure tones. No general encoder: a tone is a single spectral line, so a frame
// needs nine code words of ISO/IEC 14496-3 and no transform.
import { id3Of } from '../../../src/protocols/sound/bytes.ts'
import { SAMPLE_RATE, type Tune } from './tune.ts'

const FRAME_SAMPLES = 1024
/** Spectral lines up to half the sample rate. */
const LINES = 1024
/** The line at which each band begins at 24 kHz, as far up as our tones go. */
const BANDS = [
  0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 52, 60, 68, 76, 84, 92, 100, 108, 116, 124, 136, 148, 160, 172, 188, 204,
]
/** The loudness of a line of height 1: 4 steps double it. */
const GAIN = 191
const QUAD = 4
const QUAD_BOOK = 1
const SILENT_BOOK = 0
/** Code words of book 1 for four lines of which only the one at this index is 1 or -1. */
const UP = ['10000', '10011', '10110', '10100']
const DOWN = ['10001', '10111', '10101', '10010']
const ALL_ZERO = '0'
// Brings a frame of a dozen bytes to an ordinary size. music-metadata 12.1 overlooks the last 163 bytes of a stream
// (lib/mpeg/MpegParser.js, read 2026-11-21), which would be half a second of such short ones.
const FILL_BYTES = 165

export function aacOf(tune: Tune, comment: string): Buffer {
  const samples = tune.notes.length * tune.note_samples
  const parts = [id3Of(comment)]
  for (let at = 0, index = 0; at < samples + FRAME_SAMPLES; at += FRAME_SAMPLES, index++) {
    parts.push(frame(tune.notes[Math.floor((at + FRAME_SAMPLES / 2) / tune.note_samples)] ?? 0, index))
  }
  return Buffer.concat(parts)
}

function frame(note: number, index: number): Buffer {
  const block = bytesOf(`000${bits(0, 4)}${note === 0 ? silence() : tone(note, index)}${FILL}111`)
  const header = [
    bits(0xfff, 12),
    // MPEG-4, no checksum; Low Complexity, 24 kHz, one channel.
    `0001${bits(1, 2)}${bits(6, 4)}0${bits(1, 3)}0000`,
    bits(7 + block.length, 13),
    bits(0x7ff, 11),
    '00',
  ]
  return Buffer.concat([bytesOf(header.join('')), block])
}

/** Gain, one long window, no bands; then neither prediction, pulses, noise shaping nor gain control. */
const silence = (): string => `${bits(GAIN, 8)}0000${bits(0, 6)}0000`

function tone(note: number, index: number): string {
  const line = Math.min((BANDS.at(-1) ?? 0) - 1, Math.round((note * 2 * LINES) / SAMPLE_RATE - 0.5))
  const band = BANDS.findLastIndex((start) => start <= line)
  const [start = 0, end = 0] = BANDS.slice(band, band + 2)
  const sections = (band > 0 ? section(SILENT_BOOK, band) : '') + section(QUAD_BOOK, 1)
  // A steady tone turns by a quarter from frame to frame, and by a half more on odd lines.
  const turn = (index * (line % 2 === 0 ? 1 : 3)) % 4
  const words = turn === 1 || turn === 2 ? DOWN : UP
  const quads = Array.from({ length: (end - start) / QUAD }, (_, quad) => {
    const place = line - start - quad * QUAD
    return words[place] ?? ALL_ZERO
  })
  // Before the sections: no prediction. After them: the band's scale factor is the gain, and nothing of the rest.
  return `${bits(GAIN, 8)}0000${bits(band + 1, 6)}0${sections}0000${quads.join('')}`
}

/** Bands that share a code book: always fewer than 31 here, more would need an escape. */
const section = (book: number, bands: number): string => bits(book, 4) + bits(bands, 5)

const bits = (value: number, width: number): string => value.toString(2).padStart(width, '0')

/** A fill element: its length less 14 after the escape, and bytes of the pattern that the standard gives. */
const FILL = `1101111${bits(FILL_BYTES - 14, 8)}00000000${'10100101'.repeat(FILL_BYTES - 1)}`

function bytesOf(written: string): Buffer {
  const octets = written.match(/.{1,8}/g) ?? []
  return Buffer.from(octets.map((octet) => Number.parseInt(octet.padEnd(8, '0'), 2)))
}
