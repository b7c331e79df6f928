// Speech while it is spoken: as plain bytes or as OpenAI's events. The last piece waits for the charge. A caller who leaves
// changes nothing but that the sound is kept.
import { type NanoUsd, shortUsd } from '../../ledger/money.ts'
import { soundPieces, speechDelta, speechDone } from '../../protocols/openai-media/speech_request.ts'
import { Pump } from '../chat/pump.ts'
import type { Caller, Services } from '../services.ts'
import type { Work } from '../work.ts'
import { completeGeneration, type GenerationRun, openGeneration, orRelease } from './generate.ts'
import { beginLive } from './live.ts'

export interface SpeechStreamRun extends GenerationRun<'speech'> {
  as: 'audio' | 'sse'
  /** Told before the last piece goes out. */
  charged(work: Work, cost: NanoUsd): void
}

/** What is thrown before the first piece is an ordinary failure; nothing is charged for whatever is thrown. */
export function streamSpeech(services: Services, caller: Caller, run: SpeechStreamRun): AsyncGenerator<Uint8Array> {
  return new Pump().run(async (pump) => {
    const work = await openGeneration(services, caller, run)
    await orRelease(services, work, () => produce(services, work, run, pump))
  })
}

async function produce(services: Services, work: Work, run: SpeechStreamRun, pump: Pump): Promise<void> {
  const push = (piece: Uint8Array) => pump.push(run.as === 'sse' ? speechDelta(piece) : piece)
  const { request } = run
  let begun = false
  let held: Uint8Array | undefined
  const sound = (piece: Uint8Array) => {
    if (piece.length === 0) return
    if (held) {
      begun = true
      push(held)
    }
    // A copy: some read into one buffer again and again.
    held = Uint8Array.from(piece)
  }
  const progress = await beginLive(services, work, 'speech', request, {
    // Of another format the sound must be written anew, which is done when it is whole.
    ears: ({ format }) => (format === request.format ? { sound } : {}),
    begun: () => begun,
    forget: () => {
      held = undefined
    },
  })
  const { cost, usage, files } = await completeGeneration(services, work, run, progress)
  run.charged(work, cost)
  if (held) push(held)
  else for (const { data } of files) for (const piece of soundPieces(data)) push(piece)
  if (run.as === 'sse') pump.push(speechDone(usage, shortUsd(cost)))
}
