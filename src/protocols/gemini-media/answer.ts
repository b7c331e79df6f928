// One whole generateContent answer, for pictures and sound: its files, its words, what it took, or why there is nothing.
import { type Asset, type Call, type JsonObject, ProviderError, type Usage } from '../../contract.ts'
import { base64Of } from '../address.ts'
import { parseChunk } from '../gemini/events.ts'
import { candidatesOf } from '../gemini/output.ts'
import { finishReason, isFailure } from '../gemini/parts.ts'
import { type GeminiServer, methodCaller } from '../gemini/server.ts'
import { readUsage } from '../gemini/usage.ts'
import { isRecord, record } from '../lenient.ts'
import { scrub } from '../status.ts'
import { readBody } from '../transport.ts'

export interface Made {
  /** In order; drafts that the model only thought of are left out. */
  files: Extract<Asset, { type: 'bytes' }>[]
  text: string
  /** The limit of output was reached before the end. */
  cut: boolean
  usage: Usage | undefined
}

/** A picture of 4K comes with a signature of the thoughts behind it that is larger than itself (recordings of 2026). */
const ANSWER_BYTES_MAX = 256 * 2 ** 20
const WORDS_MAX = 300

/** Throws ProviderError; 'content_policy' for a prompt or an answer that Google's filters held back. */
export async function makeContent(server: GeminiServer, body: JsonObject, call: Call): Promise<Made> {
  const { provider } = server
  const wire = await methodCaller(server)(body, call, 'generateContent')
  const answer = parseChunk((await readBody(wire, ANSWER_BYTES_MAX)).toString(), provider)
  const blocked = record(answer.promptFeedback).blockReason
  if (typeof blocked === 'string') throw refused(provider, `blocked the prompt: ${blocked}.`)
  const [candidate] = candidatesOf(answer)
  if (!candidate) throw new ProviderError('bad_response', `${provider} answered without an answer.`)
  const reason = String(candidate.finishReason ?? 'STOP')
  const made = partsOf(candidate)
  if (made.files.length === 0 && made.text === '') throw nothing(provider, reason)
  return { ...made, cut: reason === 'MAX_TOKENS', usage: readUsage(answer.usageMetadata) }
}

const refused = (provider: string, what: string) => new ProviderError('content_policy', `${provider} ${what}`)

function partsOf(candidate: Record<string, unknown>): Pick<Made, 'files' | 'text'> {
  const { parts } = record(candidate.content)
  const said = (Array.isArray(parts) ? parts.filter(isRecord) : []).filter(({ thought }) => thought !== true)
  return {
    text: said.map(({ text }) => (typeof text === 'string' ? text : '')).join(''),
    files: said.flatMap(({ inlineData }) => {
      const { mimeType, data } = record(inlineData)
      if (typeof mimeType !== 'string' || typeof data !== 'string' || data === '') return []
      return [{ type: 'bytes' as const, data: Buffer.from(data, 'base64'), media_type: mimeType }]
    }),
  }
}

/** NO_IMAGE and OTHER are no judgement of the prompt, though an answer of text that ends so was cut by a filter. */
function nothing(provider: string, reason: string): ProviderError {
  if (/^(?:NO_IMAGE|IMAGE_OTHER|OTHER|STOP|MAX_TOKENS)$/.test(reason) || isFailure(reason))
    return new ProviderError('unavailable', `${provider} made nothing: ${reason}.`)
  if (finishReason(reason) === 'content_filter') return refused(provider, `held its answer back: ${reason}.`)
  return new ProviderError('bad_response', `${provider} made nothing and gave no reason that we know: ${reason}.`)
}

/** The model answered in words where a file was asked for: its words tell the caller what to change. */
export function onlyWords(provider: string, wanted: string, text: string): ProviderError {
  const words = scrub(text.trim())
  const said = words.length > WORDS_MAX ? `${words.slice(0, WORDS_MAX)}…` : words
  return new ProviderError('invalid_request', `The model of ${provider} made ${wanted}. It said: ${said}`, {
    param: 'prompt',
  })
}

/** A file within a request. The router downloads what callers name by address before it gets here. */
export function inlinePart(asset: Asset, param: string): JsonObject {
  return { inlineData: { mimeType: bytesOf(asset, param).media_type, data: base64Of(bytesOf(asset, param).data) } }
}

export function bytesOf(asset: Asset, param: string): Extract<Asset, { type: 'bytes' }> {
  if (asset.type === 'bytes') return asset
  throw new ProviderError('invalid_request', `'${param}' must be uploaded as a file.`, { param })
}
