// How hard the model is to think, in the words that this model knows: a level for those from 4.6 on, a budget of tokens
// for older ones (Anthropic's guide to extended thinking, 2026-11).
import type { ChatRequest, JsonObject } from '../../contract.ts'
import { effortFor } from '../effort.ts'
import { isForeignSeal } from './foreign.ts'

interface Thinking {
  thinking?: JsonObject | undefined
  effort?: string | undefined
}

/** Less is refused. */
const BUDGET_LEAST = 1_024
const BUDGETS: Record<string, number> = {
  minimal: 1_024,
  low: 2_048,
  medium: 8_192,
  high: 16_384,
  xhigh: 32_000,
  max: 64_000,
}
const EFFORTS: Record<string, string> = { minimal: 'low' }

export function encodeThinking(request: ChatRequest, upstream: string, max_tokens: number): Thinking {
  const { effort, budget_tokens } = request.reasoning ?? {}
  if (effort === 'none') return { thinking: { type: 'disabled' } }
  if (effort === undefined && budget_tokens === undefined) return {}
  if (knowsEffort(upstream)) {
    const level = effort === undefined ? effortFor(budget_tokens ?? 0) : (EFFORTS[effort] ?? effort)
    // A tool that must be called leaves no room for thought: the API refuses both together.
    return isForced(request) ? { effort: level } : { thinking: { type: 'adaptive' }, effort: level }
  }
  const budget = Math.min(budget_tokens ?? BUDGETS[effort ?? ''] ?? BUDGETS.medium ?? BUDGET_LEAST, max_tokens - 1)
  if (budget < BUDGET_LEAST || isForced(request) || lacksThoughts(request)) return {}
  return { thinking: { type: 'enabled', budget_tokens: budget } }
}

/** claude-opus-4-6 and later, claude-fable-5 and whatever has a name that we do not know yet. */
function knowsEffort(upstream: string): boolean {
  if (/claude-(?:[123]\b|instant)/.test(upstream)) return false
  const [, major, minor] = /claude-[a-z]+-(\d+)(?:-(\d{1,2})(?!\d))?/.exec(upstream) ?? []
  return major === undefined || Number(major) > 4 || Number(minor ?? 0) >= 6
}

const isForced = ({ tool_choice }: ChatRequest): boolean =>
  tool_choice?.mode === 'required' ||
  tool_choice?.mode === 'tool' ||
  (tool_choice?.mode === 'allowed' && tool_choice.required)

/** In the middle of a tool's use a model that thinks wants its signed thoughts back, which other formats do not keep. */
function lacksThoughts({ messages }: ChatRequest): boolean {
  const last = messages.findLast(({ role }) => role === 'assistant')
  const calls = last?.content.some(({ type }) => type === 'tool_call') ?? false
  return (
    calls &&
    !last?.content.some((part) => part.type === 'reasoning' && !isForeignSeal(part.signature ?? part.encrypted))
  )
}
