// The answer of OpenAI's moderations API: the provider's own, with what it cost.
import type { ModerationOutput, Usage } from '../../contract.ts'
import { isRecord } from '../lenient.ts'
import { withCost } from '../openai-chat/usage.ts'

/** As JSON text. */
export function moderationAnswer(
  { answer }: ModerationOutput,
  { usage, cost_usd }: { usage: Usage; cost_usd?: string },
): string {
  const tokens = usage.meters.input_tokens ?? 0
  const told = isRecord(answer.usage) ? answer.usage : { prompt_tokens: tokens, total_tokens: tokens }
  return JSON.stringify({ ...answer, usage: withCost(told, cost_usd) })
}
