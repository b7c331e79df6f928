// Counting what a provider did not report: four bytes to a token, a common mean of the tokenisers, and never more than
// was held for. Marked as counted on the job and on its receipt.
import type { Usage } from '../../contract.ts'
import type { AnswerEnd } from '../../protocols/front.ts'
import type { Work } from '../work.ts'

const BYTES_PER_TOKEN = 4

export function countedUsage(work: Work, output_bytes: number): Usage {
  const held = (work.offers[work.job.offer] ?? work.offers[0])?.estimate.meters ?? {}
  const tokens = (bytes: number) => Math.ceil(bytes / BYTES_PER_TOKEN)
  // The estimate of the input is its bytes, give or take the frame of each message.
  const input = (held.input_tokens ?? 0) + (held.cache_write_tokens ?? 0) + (held.cache_write_1h_tokens ?? 0)
  const output = (held.output_tokens ?? 0) + (held.output_audio_tokens ?? 0)
  return {
    meters: { input_tokens: tokens(input), output_tokens: Math.min(tokens(output_bytes), output), requests: 1 },
    source: 'counted',
  }
}

/** An answer without any output is free; one whose provider told no usage is counted. */
export function chargeable({ has_output, usage, output_bytes }: AnswerEnd, work: Work): Usage | undefined {
  if (!has_output) return undefined
  return usage ?? countedUsage(work, output_bytes)
}
