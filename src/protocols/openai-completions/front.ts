// OpenAI's legacy completions as callers speak them: a prompt, and the text that follows it. Where a provider serves them
// they pass through; the others, which are most, are told the prompt as a user's message.
import { z } from 'zod'
import {
  type ChatEvent,
  type ChatRequest,
  type FinishReason,
  type Json,
  type JsonObject,
  ProviderError,
  type Usage,
} from '../../contract.ts'
import { checkBody, present, refuseUnknown } from '../check_body.ts'
import type { AnswerEnd, AnswerHead, ChatFront } from '../front.ts'
import { isRecord, record } from '../lenient.ts'
import { errorChunk } from '../openai-chat/answer.ts'
import { inputUpperBound } from '../openai-chat/estimate.ts'
import { FINISH_REASONS } from '../openai-chat/parts.ts'
import { readUsage, withCost, writeUsage } from '../openai-chat/usage.ts'
import { readEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { WireError } from '../wire_error.ts'
import { CompletionTap } from './tap.ts'

const tokens = z.array(z.number().int().nonnegative())
const CompletionBody = z.looseObject({
  model: z.string().min(1),
  prompt: z.union([z.string(), z.array(z.string()).min(1), tokens.min(1), z.array(tokens).min(1)], {
    error: 'expected a text, a list of texts, or tokens',
  }),
  suffix: z.string().nullish(),
  best_of: z.number().int().min(1).max(20).nullish(),
  max_tokens: z.number().int().positive().nullish(),
  n: z.number().int().min(1).max(128).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  seed: z.number().int().nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: z.record(z.string(), z.number()).nullish(),
  user: z.string().nullish(),
})
/** What only a provider that serves completions can be told. */
const THERE_ALONE = ['suffix', 'best_of']
const KNOWN_FIELDS = new Set(Object.keys(CompletionBody.shape).filter((name) => !THERE_ALONE.includes(name)))

/** Its usual limit is OpenAI's own: 16 tokens where the caller names none. */
const DEFAULT_TOKENS = 16

/** Checks a body and answers it unchanged. Throws WireError. */
export function readCompletionRequest(body: unknown): JsonObject {
  checkBody(CompletionBody, body)
  return body as JsonObject
}

/** Throws WireError, also for `echo`, `suffix`, `best_of` and `logprobs`, which a chat does not have. */
function toCanonical(body: JsonObject): ChatRequest {
  const read = checkBody(CompletionBody, body)
  refuseUnknown(read, KNOWN_FIELDS)
  const stop = typeof read.stop === 'string' ? [read.stop] : read.stop
  return present<ChatRequest>({
    model: read.model,
    messages: [{ role: 'user', content: [{ type: 'text', text: promptOf(body) }] }],
    choices: read.n ?? undefined,
    max_output_tokens: read.max_tokens ?? DEFAULT_TOKENS,
    temperature: read.temperature ?? undefined,
    top_p: read.top_p ?? undefined,
    stop: stop ?? undefined,
    seed: read.seed ?? undefined,
    presence_penalty: read.presence_penalty ?? undefined,
    frequency_penalty: read.frequency_penalty ?? undefined,
    logit_bias: read.logit_bias ?? undefined,
    user: read.user ?? undefined,
  })
}

function promptOf({ prompt }: JsonObject): string {
  const text = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt
  if (typeof text === 'string') return text
  throw new WireError(
    "'prompt' must be one text: the provider of this model takes neither several nor token ids.",
    'prompt',
    'invalid_type',
  )
}

const headOf = ({ id, created, model }: AnswerHead) => ({ id: `cmpl-${id}`, object: 'text_completion', created, model })

const choice = (index: number, text: string, finish?: FinishReason) => ({
  index,
  text,
  logprobs: null,
  // This format has no tools: who asked for none is told of none.
  finish_reason: finish === undefined ? null : FINISH_REASONS[finish === 'tool_calls' ? 'stop' : finish],
})

const wantsUsage = (body: JsonObject): boolean =>
  (body.stream_options as JsonObject | null | undefined)?.include_usage === true

const event = (members: object): string => `data: ${JSON.stringify(members)}\n\n`

/** Text and refusals are what this format can show; thoughts and tools it cannot. */
const textOf = (part: ChatEvent): string => (part.type === 'text' || part.type === 'refusal' ? part.text : '')

async function collect(
  events: AsyncIterable<ChatEvent>,
  head: AnswerHead,
): Promise<{ answer: JsonObject; end: AnswerEnd }> {
  const choices = new Map<number, { text: string; finish?: FinishReason }>()
  let usage: Usage | undefined
  for await (const part of events) {
    if (part.type === 'usage') usage = part.usage
    else {
      const known = choices.get(part.choice) ?? { text: '' }
      choices.set(part.choice, {
        ...known,
        text: known.text + textOf(part),
        ...(part.type === 'finish' && { finish: part.reason }),
      })
    }
  }
  const sorted = [...choices].sort(([one], [other]) => one - other)
  const output_bytes = sorted.reduce((sum, [, { text }]) => sum + Buffer.byteLength(text), 0)
  return {
    answer: { ...headOf(head), choices: sorted.map(([index, { text, finish }]) => choice(index, text, finish)) },
    end: {
      complete: sorted.length > 0 && sorted.every(([, { finish }]) => finish !== undefined),
      ...(usage && { usage }),
      has_output: output_bytes > 0,
      output_bytes,
    },
  }
}

/** Each text, or each list of tokens, of which every one counts as such. */
function promptsOf({ prompt }: JsonObject): Json[] {
  if (!Array.isArray(prompt)) return [prompt ?? '']
  return prompt.every((each) => typeof each === 'number') ? [prompt] : prompt
}

/** What a provider's whole answer says of itself. Throws ProviderError if it is none. */
function readAnswer(answer: JsonObject): AnswerEnd {
  if (answer.error) throw streamError(answer, 'The provider')
  if (!Array.isArray(answer.choices)) throw new ProviderError('bad_response', 'The answer is not a completion.')
  const texts = (answer.choices as unknown[]).map((each) => String(record(each).text ?? ''))
  const usage = readUsage(answer.usage)
  const output_bytes = texts.reduce((total, text) => total + Buffer.byteLength(text), 0)
  return { complete: true, ...(usage && { usage }), has_output: output_bytes > 0, output_bytes }
}

export const openaiCompletionsFront: ChatFront = {
  protocol: 'openai-completions',

  facts(body) {
    const tokens = typeof body.max_tokens === 'number' ? body.max_tokens : DEFAULT_TOKENS
    return {
      stream: body.stream === true,
      output_limit: { tokens, param: 'max_tokens' },
      choices: Math.max(Number(body.n ?? 1), Number(body.best_of ?? 1)) * promptsOf(body).length,
      attributes: {},
      speaks: false,
    }
  },

  toCanonical,
  inputUpperBound: (body) =>
    inputUpperBound({
      messages: [...promptsOf(body), body.suffix ?? ''].map((content) => ({ role: 'user', content })),
    }),

  toProvider: (body, { upstream, output_limit }) => ({
    ...body,
    model: upstream,
    max_tokens: body.max_tokens ?? output_limit,
    ...(body.stream === true && {
      stream_options: { ...(body.stream_options as JsonObject | null), include_usage: true },
    }),
  }),
  tap: (body, provider) => new CompletionTap(provider, wantsUsage(body)),
  readAnswer,

  encoder(body, head) {
    const members = headOf(head)
    const usage_field = wantsUsage(body) ? { usage: null } : {}
    return {
      encode(part) {
        const text = textOf(part)
        if (part.type === 'finish')
          return event({ ...members, choices: [choice(part.choice, '', part.reason)], ...usage_field })
        return text && part.type !== 'usage'
          ? event({ ...members, choices: [choice(part.choice, text)], ...usage_field })
          : ''
      },
      tail(usage, cost_usd) {
        const last = wantsUsage(body)
          ? event({ ...members, choices: [], usage: withCost(writeUsage(usage), cost_usd) })
          : ''
        return `${last}data: [DONE]\n\n`
      },
    }
  },

  collect,

  encodeAnswer: (answer, usage, cost_usd) =>
    JSON.stringify({
      ...answer,
      usage: withCost(isRecord(answer.usage) ? answer.usage : writeUsage(usage), cost_usd),
    }),

  readStream(bytes) {
    const texts = new Map<number, ReturnType<typeof choice>>()
    let head: JsonObject = {}
    for (const { data } of readEvents(Buffer.from(bytes).toString())) {
      if (data === '' || data === '[DONE]') continue
      const { choices, ...members } = JSON.parse(data) as { choices: ReturnType<typeof choice>[] } & JsonObject
      head = members as JsonObject
      for (const each of choices) {
        const known = texts.get(each.index)
        texts.set(each.index, {
          ...each,
          text: (known?.text ?? '') + each.text,
          finish_reason: each.finish_reason ?? known?.finish_reason ?? null,
        })
      }
    }
    return { ...head, choices: [...texts.values()] }
  },

  errorEvent: errorChunk,
}
