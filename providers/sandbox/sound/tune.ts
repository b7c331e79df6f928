// The sandbox's voice: one tone a character. Pure; knows neither files nor formats.

/** Samples a second, one channel. */
export const SAMPLE_RATE = 24_000

export interface Tune {
  /** In Hz; 0 is a rest. */
  notes: number[]
  note_samples: number
}

const NOTE_SECONDS = 0.06
/** Long texts are spoken faster, so that no sound is longer. */
const LONGEST_SECONDS = 30
/** Semitones of a scale in which any two tones sound well together. */
const SCALE = [0, 2, 4, 7, 9]
const TONES = 15
const LOUDNESS = 9000
const FADE_SAMPLES = 120

/** `pitch` from 0 to 1 tells voices apart; `speed` 2 is twice as fast. */
export function tuneOf(text: string, pitch: number, speed: number): Tune {
  const lowest = 180 + 80 * pitch
  const notes = [...text].map((character) => (/[\p{L}\p{N}]/u.test(character) ? noteOf(character, lowest) : 0))
  const seconds = Math.min(NOTE_SECONDS / speed, LONGEST_SECONDS / Math.max(1, notes.length))
  return { notes: notes.length === 0 ? [0] : notes, note_samples: Math.round(seconds * SAMPLE_RATE) }
}

function noteOf(character: string, lowest: number): number {
  const tone = (character.toLowerCase().codePointAt(0) ?? 0) % TONES
  const semitones = 12 * Math.floor(tone / SCALE.length) + (SCALE[tone % SCALE.length] ?? 0)
  return lowest * 2 ** (semitones / 12)
}

/** 16-bit samples. Each note fades in and out, because a sudden start clicks. */
export function samplesOf({ notes, note_samples }: Tune): Int16Array {
  const samples = new Int16Array(notes.length * note_samples)
  const fade = Math.min(FADE_SAMPLES, note_samples / 2)
  for (const [index, note] of notes.entries()) {
    if (note === 0) continue
    for (let at = 0; at < note_samples; at++) {
      const turn = (2 * Math.PI * note * at) / SAMPLE_RATE
      const loudness = LOUDNESS * Math.min(1, at / fade, (note_samples - at) / fade)
      samples[index * note_samples + at] = loudness * (0.8 * Math.sin(turn) + 0.2 * Math.sin(2 * turn))
    }
  }
  return samples
}
