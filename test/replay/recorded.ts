// The recorded chats, each with the format that it is in and the adapter that speaks to its server; and what is recorded
// but in a format that no provider of the router speaks. It reads files and judges nothing.
import type { JsonObject, Protocol } from '../../src/contract.ts'
import { type Recording, recordingsOf } from '../providers/recordings.ts'
import { object, text } from './said.ts'

export interface Case {
  id: string
  /** Whose recording it is: the file's name. */
  source: string
  protocol: Protocol
  /** The adapter that serves it. */
  provider: string
  /** The provider's own name of the model. */
  upstream: string
  /** Absent where the request was not kept. */
  request?: JsonObject
  status: number
  content_type: string
  /** The bytes of the answer, as text. */
  body: string
  streamed: boolean
}

export interface Recorded {
  cases: Case[]
  /** How many recordings of text are in a format that nothing here speaks, or no answers, by source and format. */
  unspoken: Map<string, number>
}

const SOURCES = [
  ...['openai', 'anthropic', 'gemini', 'deepseek', 'groq', 'mistral', 'xai', 'openrouter', 'together', 'cerebras'],
  ...['ollama', 'huggingface', 'cohere'],
]

const PATHS: [RegExp, Protocol | string][] = [
  [/count_tokens|countTokens|input_tokens|\/compact/, ''],
  [/\/chat\/completions$/, 'openai-chat'],
  [/\/responses$/, 'openai-responses'],
  [/\/v1\/messages$/, 'anthropic-messages'],
  [/:(?:generateContent|streamGenerateContent)$/, 'gemini'],
  [/\/(?:v1|v2)\/chat$/, "Cohere's own chat"],
  [/\/v1\/generate$/, "Cohere's own generate"],
  [/\/api\/(?:chat|generate)$/, "Ollama's own chat"],
  [/\/v1beta\/interactions$/, "Google's interactions"],
  [/\/v1\/completions$/, 'legacy completions upstream'],
  [/\/v1\/complete$/, "Anthropic's first completions"],
]
const SPOKEN = new Set(['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini'])

/** The adapters of the recorded servers; every other one is served by those of the replay's own. */
const ADAPTERS: Record<string, string> = {
  'anthropic anthropic-messages': 'anthropic',
  'gemini gemini': 'google',
  ...Object.fromEntries(
    ['groq', 'mistral', 'deepseek', 'xai', 'openrouter', 'together', 'cerebras', 'ollama'].map((id) => [
      `${id} openai-chat`,
      id,
    ]),
  ),
}

export function readRecorded(): Recorded {
  const unspoken = new Map<string, number>()
  const cases = SOURCES.flatMap((source) =>
    recordingsOf(source).flatMap((recording) => {
      const { path: whole = '', method = 'POST' } = recording.endpoint ?? {}
      const path = whole.replace(/\?.*$/, '')
      const protocol = method === 'POST' ? (PATHS.find(([pattern]) => pattern.test(path))?.[1] ?? '') : ''
      const spoken = SPOKEN.has(protocol) ? casesOf(source, protocol as Protocol, recording, path) : []
      const cases = spoken.filter(isAnswer)
      const why = cases.length > 0 ? '' : spoken.length > 0 ? `no answer of ${protocol}` : protocol
      if (why) unspoken.set(`${source}: ${why}`, (unspoken.get(`${source}: ${why}`) ?? 0) + 1)
      return cases
    }),
  )
  return { cases, unspoken }
}

function casesOf(source: string, protocol: Protocol, { id, request, response }: Recording, path: string): Case[] {
  const body = response.body_text ?? ''
  const streamed = /^(?:event|data|:)/m.test(body.slice(0, 200)) && !body.startsWith('{')
  const asked = object(request?.body)
  const upstream = upstreamOf(asked, path, body)
  const base = {
    source,
    protocol,
    provider:
      ADAPTERS[`${source} ${protocol}`] ?? (protocol === 'openai-responses' ? 'replay-responses' : 'replay-chat'),
    upstream,
    ...(Object.keys(asked).length > 0 && { request: asked }),
    status: response.status,
    content_type: typeOf(response.headers, streamed),
    streamed,
  }
  return streamsIn(protocol, body).map((each, index) => ({
    ...base,
    id: index === 0 ? id : `${id}#${index}`,
    body: each,
  }))
}

/** Not a guess that went wrong (the answer of another endpoint), nor work in the background, which is the router's own. */
function isAnswer({ status, streamed, body, request }: Case): boolean {
  if (status !== 200) return true
  if (request?.background) return false
  if (streamed) return /"(?:choices|candidates|response)"|message_start/.test(body)
  const answer = object(JSON.parse(body))
  if (answer.status === 'queued' || answer.status === 'in_progress') return false
  return ['choices', 'content', 'candidates', 'promptFeedback', 'output', 'error'].some((name) => answer[name])
}

/** Some recordings hold the streams of several calls, one after the other. */
function streamsIn(protocol: Protocol, body: string): string[] {
  if (protocol !== 'anthropic-messages' || !/^event: message_start/m.test(body)) return [body]
  return body.split(/(?=^event: message_start)/m).filter((part) => part.startsWith('event: message_start'))
}

function upstreamOf({ model }: JsonObject, path: string, body: string): string {
  if (typeof model === 'string') return model
  const named = /models\/([^:]+):/.exec(path)?.[1] ?? /"(?:model|modelVersion)": ?"([^"]+)"/.exec(body)?.[1]
  return text(named) || 'unnamed'
}

function typeOf(headers: Record<string, string> | undefined, streamed: boolean): string {
  const found = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === 'content-type')?.[1]
  return found ?? (streamed ? 'text/event-stream' : 'application/json')
}
