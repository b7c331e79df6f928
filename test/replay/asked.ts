// What of a request reaches the provider after two translations: the same words, files, calls, results, tools and settings,
// but for what the router documents to say in another way.
import type { ChatRequest, ContentPart, Protocol } from '../../src/contract.ts'
import { difference, flat, parse, same } from './compare.ts'
import { object } from './said.ts'

/** Anthropic's format has no mode for JSON without a schema, so the model is asked in words. */
const JSON_IN_WORDS = 'AnswerwithoneJSONobjectandnothingelse:nowordsaroundit,nocodefence.'

/** Nor does it let the assistant begin. */
const ASSISTANT_BEGAN = '(Theassistantbegantheconversation.)'

/** Undefined where nothing is lost. `format` is the one that the request went through. */
export function asksOther(asked: ChatRequest, sent: ChatRequest, format: Protocol): string | undefined {
  const names = asked.messages.flatMap(({ content }) =>
    content.flatMap((part) => ('filename' in part && part.filename) || []),
  )
  const [one, other] = [gistOf(asked, format, names), gistOf(sent, format, names)]
  for (const name of Object.keys(one) as (keyof typeof one)[]) {
    if (!same(one[name], other[name])) return `asked ${name}: ${difference(one[name], other[name])}`
  }
  return undefined
}

function gistOf(request: ChatRequest, format: Protocol, filenames: string[]) {
  const { messages, tool_choice, response_format, temperature, top_p, stop } = request
  // Google's format has no instructions in the middle of a conversation: all stand before it.
  const told =
    format === 'gemini'
      ? [...messages.filter(isInstruction), ...messages.filter((each) => !isInstruction(each))]
      : messages
  const parts = told.flatMap(({ content }) => content)
  const results = parts.filter((part) => part.type === 'tool_result')
  const words = filenames.reduce((text, name) => text.replace(flat(name), ''), flat(parts.map(wordsOf).join('')))
  const in_words = format === 'anthropic-messages' && response_format?.type === 'json'
  return {
    words: words
      .replace(/<\/?system>/g, '')
      .replace(JSON_IN_WORDS, '')
      .replace(ASSISTANT_BEGAN, ''),
    calls: parts.flatMap((part) =>
      part.type === 'tool_call' ? [part.name, part.arguments === '' ? {} : loosely(part.arguments)] : [],
    ),
    // Formats without a field for a tool's failure say it first.
    results: results.map(({ content }) => flat(content.map(wordsOf).join('')).replace(/^Error:/, '')),
    files: [...parts, ...results.flatMap(({ content }) => content)].filter(isFile).length,
    ...toolsOf(request),
    schema:
      response_format?.type === 'json_schema' ? response_format.schema : in_words ? undefined : response_format?.type,
    // Google's own clients send the defaults of its models always: they are left to the model.
    temperature: format === 'gemini' && temperature === 1 ? undefined : temperature,
    top_p: format === 'gemini' && top_p === 0.95 ? undefined : top_p,
    stop: stop?.length ? stop : undefined,
    choice: tool_choice?.mode === 'tool' ? tool_choice : undefined,
  }
}

const isInstruction = ({ role }: ChatRequest['messages'][number]) => role === 'system' || role === 'developer'

/** A choice among some of the tools is a choice among all of fewer where the format has no word for it. */
function toolsOf({ tools = [], tool_choice: choice }: ChatRequest) {
  const allowed = choice?.mode === 'allowed' ? tools.filter(({ name }) => choice.names.includes(name)) : tools
  const required = choice?.mode === 'required' || (choice?.mode === 'allowed' && choice.required)
  return {
    tools: allowed.map((tool) => ({ name: tool.name, ...('parameters' in tool && object(tool.parameters)) })),
    required,
  }
}

/** Documents that are text may be said as text. */
const isFile = (part: ContentPart) =>
  part.type === 'image' ||
  part.type === 'audio' ||
  part.type === 'video' ||
  (part.type === 'document' && !plainText(part))

function wordsOf(part: ContentPart): string {
  if (part.type === 'text' || part.type === 'refusal') return part.text
  return part.type === 'document' ? (plainText(part) ?? '') : ''
}

function plainText({ document }: Extract<ContentPart, { type: 'document' }>): string | undefined {
  if (document.type !== 'bytes' || !document.media_type.startsWith('text/')) return undefined
  return Buffer.from(document.data).toString()
}

function loosely(text: string): unknown {
  try {
    return parse(text)
  } catch {
    return text
  }
}
