// Words of Anthropic's answers that are read and written in several places.
import type { FinishReason } from '../../contract.ts'

const FINISH_REASONS: Record<string, FinishReason> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  pause_turn: 'pause',
  refusal: 'refusal',
}
/** What we do not know is an ordinary end. */
export const finishReason = (stop_reason: string): FinishReason => FINISH_REASONS[stop_reason] ?? 'stop'

const STOP_REASONS: Record<FinishReason, string> = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
  refusal: 'refusal',
  pause: 'pause_turn',
}

/** A model that was stopped by a sequence says so, and one that calls tools too, whatever its provider called the end. */
export function stopReason(
  reason: FinishReason,
  { called, stop_sequence }: { called: boolean; stop_sequence: boolean },
) {
  if (reason === 'stop' && stop_sequence) return 'stop_sequence'
  return reason === 'stop' && called ? 'tool_use' : STOP_REASONS[reason]
}
