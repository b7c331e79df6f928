// One piece of work of Google's Interactions API: what it says of itself, what it made, why it failed, what it took.
// Shapes from the vendor's SDK (@google/genai 3.1.0).
import { z } from 'zod'
import { type JsonObject, ProviderError, type Usage } from '../../contract.ts'
import { readUsage } from '../gemini/usage.ts'
import { isRecord, record } from '../lenient.ts'
import { scrub } from '../status.ts'

const Content = z.looseObject({
  type: z.string(),
  text: z.string().nullish(),
  data: z.string().nullish(),
  uri: z.string().nullish(),
  mime_type: z.string().nullish(),
})
export type Content = z.infer<typeof Content>

const Told = z.looseObject({ code: z.union([z.string(), z.number()]).nullish(), message: z.string().nullish() })

export const Interaction = z.looseObject({
  id: z.string().min(1),
  status: z.string(),
  steps: z
    .array(z.looseObject({ type: z.string(), content: z.array(Content).nullish(), error: Told.nullish() }))
    .nullish(),
  output_video: Content.nullish(),
  errors: z.array(Told).nullish(),
  usage: z.looseObject({}).nullish(),
})
export type Interaction = z.infer<typeof Interaction>

/** Those of InteractionStatus after which a look can find something else. A status that we do not know may be one. */
const ENDED = new Set([
  'completed',
  'failed',
  'cancelled',
  'incomplete',
  'budget_exceeded',
  'requires_action',
  'requires_continuation',
])
export const isEnded = ({ status }: Interaction): boolean => ENDED.has(status)

const written = ({ steps }: Interaction): Content[] =>
  (steps ?? []).flatMap(({ type, content }) => (type === 'model_output' ? (content ?? []) : []))

export const filmOf = (interaction: Interaction): Content | undefined =>
  [...(interaction.output_video ? [interaction.output_video] : []), ...written(interaction).reverse()].find(
    ({ type, data, uri }) => type === 'video' && Boolean(data || uri),
  )

const wordsOf = (interaction: Interaction): string =>
  written(interaction)
    .map(({ type, text }) => (type === 'text' ? (text ?? '') : ''))
    .join('')
    .trim()

const POLICY = /safety|polic(?:y|ies)|prohibited|blocked|blocklist|responsible|sensitive|\brai\b|recitation/i
const WORDS_MAX = 300

/** Why there is no film. Google tells policy by its words alone; what the model says instead of filming is for the caller. */
export function failureOf(interaction: Interaction, provider: string): ProviderError {
  const { status, errors, steps } = interaction
  const told = [...(errors ?? []), ...(steps ?? []).flatMap(({ error }) => (error ? [error] : []))]
  const message = told.map((each) => each.message).find(Boolean) ?? undefined
  const text = told.map(({ code, message: words }) => `${code ?? ''} ${words ?? ''}`).join(' ')
  const words = (wordsOf(interaction) || (message ?? '')).slice(0, WORDS_MAX)
  if (POLICY.test(text)) {
    const because = message === undefined ? '' : ` ${scrub(message.slice(0, WORDS_MAX))}`
    return new ProviderError('content_policy', `${provider} refused the content of the request.${because}`)
  }
  if (status === 'completed' && words !== '') {
    const said = scrub(words)
    return new ProviderError('invalid_request', `The model of ${provider} made no film. It said: ${said}`, {
      param: 'prompt',
    })
  }
  return new ProviderError('unavailable', `${provider} could not make the film (${status.slice(0, 40)}).`, {
    cause: message === undefined ? undefined : new Error(scrub(message)),
  })
}

/** The same counts as generateContent's usage, under other names. Undefined where there are none. */
export function usageOf({ usage }: Interaction): Usage | undefined {
  if (!usage) return undefined
  const read = readUsage({
    promptTokenCount: usage.total_input_tokens,
    cachedContentTokenCount: usage.total_cached_tokens,
    candidatesTokenCount: usage.total_output_tokens,
    thoughtsTokenCount: usage.total_thought_tokens,
    toolUsePromptTokenCount: usage.total_tool_use_tokens,
    promptTokensDetails: details(usage.input_tokens_by_modality),
    cacheTokensDetails: details(usage.cached_tokens_by_modality),
    candidatesTokensDetails: details(usage.output_tokens_by_modality),
  })
  return read && { ...read, raw: usage as JsonObject }
}

const details = (list: unknown) =>
  (Array.isArray(list) ? list.filter(isRecord) : []).map((each) => {
    const { modality, tokens } = record(each)
    return { modality: String(modality).toUpperCase(), tokenCount: tokens }
  })
