// The response object: the facts of the request that every answer repeats, around its output. It knows no events.
import type { FinishReason, Json, JsonObject } from '../../contract.ts'
import type { AnswerHead } from '../front.ts'
import { isRecord, record } from '../lenient.ts'

export interface ResponseState {
  status: 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled'
  output: JsonObject[]
  incomplete_details?: JsonObject | null
  error?: JsonObject | null
  completed_at?: number | null
}

/** Without usage, which encodeAnswer adds. Every field is there, as OpenAI sends them (recordings of 2026-07). */
export function responseOf(body: JsonObject, { id, created, model }: AnswerHead, state: ResponseState): JsonObject {
  const { status, output, incomplete_details = null, error = null, completed_at = null } = state
  const { format, verbosity } = record(body.text)
  const { effort, summary } = record(body.reasoning)
  return {
    id: responseId(id),
    object: 'response',
    access_programs: null,
    created_at: created,
    status,
    background: body.background === true,
    completed_at,
    error,
    frequency_penalty: body.frequency_penalty ?? 0,
    incomplete_details,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: body.max_tool_calls ?? null,
    model,
    output,
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    presence_penalty: body.presence_penalty ?? 0,
    previous_response_id: body.previous_response_id ?? null,
    prompt_cache_key: body.prompt_cache_key ?? null,
    prompt_cache_retention: body.prompt_cache_retention ?? null,
    reasoning: { effort: (effort ?? null) as Json, summary: (summary ?? null) as Json },
    safety_identifier: body.safety_identifier ?? null,
    service_tier: body.service_tier ?? 'default',
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    text: { format: (format ?? { type: 'text' }) as Json, verbosity: (verbosity ?? 'medium') as Json },
    tool_choice: body.tool_choice ?? 'auto',
    tools: Array.isArray(body.tools) ? body.tools.map(wholeTool) : [],
    top_logprobs: body.top_logprobs ?? 0,
    top_p: body.top_p ?? 1,
    truncation: body.truncation ?? 'disabled',
    usage: null,
    user: body.user ?? null,
    metadata: body.metadata ?? {},
  }
}

/** A function has all its fields, whether its caller gave them or not. */
function wholeTool(tool: Json): Json {
  if (!isRecord(tool) || tool.type !== 'function') return tool
  return { description: null, parameters: null, strict: null, ...(tool as JsonObject) }
}

/** A failure as OpenAI's servers tell it, within `error`, and as its SDK's types have it, beside it. */
export const errorFields = (error: { type: string; code: string | null; message: string; param: string | null }) => {
  const { code, message, param } = error
  return { code, message, param, error }
}

export const responseId = (id: string): string => `resp_${id}`

/** How an answer with this end stands. A refusal in the model's own words is an answer like any other. */
export function statusOf(reason: FinishReason): Pick<ResponseState, 'status' | 'incomplete_details'> {
  const incomplete = (why: string) => ({ status: 'incomplete' as const, incomplete_details: { reason: why } })
  if (reason === 'length') return incomplete('max_output_tokens')
  return reason === 'content_filter' ? incomplete('content_filter') : { status: 'completed' }
}
