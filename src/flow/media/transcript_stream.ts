// A transcript as OpenAI's events: while it is written where the provider hands it over, else from the whole of it. The
// last event waits for the charge. A caller who leaves changes nothing but that the transcript is kept.
import { type NanoUsd, shortUsd } from '../../ledger/money.ts'
import { transcriptDone, transcriptEvent, transcriptParts } from '../../protocols/openai-media/transcript.ts'
import { Pump } from '../chat/pump.ts'
import type { Caller, Services } from '../services.ts'
import type { Work } from '../work.ts'
import { completeGeneration, type GenerationRun, openGeneration, orRelease } from './generate.ts'
import { beginLive } from './live.ts'

export interface TranscriptStreamRun extends GenerationRun<'transcription'> {
  /** Told before the last event goes out. */
  charged(work: Work, cost: NanoUsd): void
}

/** What is thrown before the first event is an ordinary failure; nothing is charged for whatever is thrown. */
export function streamTranscript(
  services: Services,
  caller: Caller,
  run: TranscriptStreamRun,
): AsyncGenerator<Uint8Array> {
  return new Pump().run(async (pump) => {
    const work = await openGeneration(services, caller, run)
    await orRelease(services, work, () => produce(services, work, run, pump))
  })
}

async function produce(services: Services, work: Work, run: TranscriptStreamRun, pump: Pump): Promise<void> {
  const { request } = run
  let begun = false
  const progress = await beginLive(services, work, 'transcription', request, {
    ears: () => ({
      heard: (event) => {
        begun = true
        pump.push(transcriptEvent(event))
      },
    }),
    begun: () => begun,
    forget: () => undefined,
  })
  const { cost, usage, output } = await completeGeneration(services, work, run, progress)
  run.charged(work, cost)
  if (!begun) for (const event of transcriptParts(output, request.speakers === true)) pump.push(event)
  const { format, task } = request
  pump.push(transcriptDone(output, { format, task, usage, cost_usd: shortUsd(cost) }))
}
