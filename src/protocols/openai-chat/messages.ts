// The messages of a caller's chat request in canonical form: text, pictures, sound, documents, tool calls and results.
import type { ChatMessage, ContentPart, ToolCall } from '../../contract.ts'
import { readAddress, readBase64 } from '../address.ts'
import { plainId, readCallId } from '../call_ids.ts'
import { WireError } from '../wire_error.ts'
import { signatureOf } from './parts.ts'
import type { BodyMessage } from './schema.ts'

/** One message in canonical form; `param` is where it stands, for faults. Throws WireError. */
export function readMessage(message: BodyMessage, param: string): ChatMessage {
  const named = 'name' in message && typeof message.name === 'string' ? { name: message.name } : {}
  switch (message.role) {
    case 'tool':
      return {
        role: 'tool',
        content: [
          {
            type: 'tool_result',
            call_id: plainId(message.tool_call_id),
            content: readContent(message.content, `${param}.content`),
          },
        ],
      }
    case 'function':
      throw new WireError("The role 'function' is not supported; use 'tool'.", `${param}.role`, 'unsupported_value')
    case 'assistant':
      return { role: 'assistant', content: readAssistant(message, param), ...named }
    default:
      return { role: message.role, content: readContent(message.content, `${param}.content`), ...named }
  }
}

function readAssistant(message: Extract<BodyMessage, { role: 'assistant' }>, param: string): ContentPart[] {
  if (message.function_call) {
    throw new WireError(
      "'function_call' is not supported; use tool_calls.",
      `${param}.function_call`,
      'unsupported_value',
    )
  }
  if (message.audio) {
    throw new WireError('The provider of this model cannot refer to earlier audio.', `${param}.audio`)
  }
  const parts: ContentPart[] = []
  if (message.reasoning_content) parts.push({ type: 'reasoning', text: message.reasoning_content })
  parts.push(...readContent(message.content ?? '', `${param}.content`))
  if (message.refusal) parts.push({ type: 'refusal', text: message.refusal })
  for (const [index, call] of (message.tool_calls ?? []).entries()) {
    parts.push({ type: 'tool_call', ...readToolCall(call, `${param}.tool_calls[${index}]`) })
  }
  return parts
}

function readToolCall(call: BodyToolCall, param: string): ToolCall {
  const signed = readCallId(call.id)
  if (call.function) {
    const { name, arguments: words } = call.function
    return { ...signed, kind: 'function', name, arguments: words, ...signatureOf(call) }
  }
  if (call.custom) return { ...signed, kind: 'custom', name: call.custom.name, arguments: call.custom.input }
  throw new WireError(`Missing required parameter: '${param}.function'.`, param, 'missing_required_parameter')
}
type BodyToolCall = NonNullable<Extract<BodyMessage, { role: 'assistant' }>['tool_calls']>[number]

type BodyContent = Extract<BodyMessage, { role: 'user' }>['content']

function readContent(content: BodyContent, param: string): ContentPart[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }]
  return content.map((part, index) => readPart(part as BodyPart, `${param}[${index}]`))
}

/** The schema has checked the parts it knows; their fields are therefore there. */
interface BodyPart {
  type: string
  text?: string
  refusal?: string
  image_url?: { url: string; detail?: string | null }
  input_audio?: { data: string; format: string }
  file?: { file_data?: string | null; file_id?: string | null; filename?: string | null }
  prompt_cache_breakpoint?: { ttl?: string } | null
}

function readPart(part: BodyPart, param: string): ContentPart {
  const cache = part.prompt_cache_breakpoint
    ? { cache: part.prompt_cache_breakpoint.ttl ? { ttl: part.prompt_cache_breakpoint.ttl } : {} }
    : {}
  if (part.type === 'text') return { type: 'text', text: part.text ?? '', ...cache }
  if (part.type === 'refusal') return { type: 'refusal', text: part.refusal ?? '' }
  if (part.image_url) {
    const detail = part.image_url.detail ? { detail: part.image_url.detail } : {}
    return { type: 'image', image: readAddress(part.image_url.url, `${param}.image_url.url`), ...detail, ...cache }
  }
  if (part.input_audio) {
    const { data, format } = part.input_audio
    return { type: 'audio', audio: readBase64(data, `audio/${format}`, `${param}.input_audio.data`), ...cache }
  }
  if (part.file) return { ...readFile(part.file, param), ...cache }
  throw new WireError(
    `The provider of this model does not accept parts of type '${part.type}'.`,
    `${param}.type`,
    'unsupported_value',
  )
}

function readFile(file: NonNullable<BodyPart['file']>, param: string): Extract<ContentPart, { type: 'document' }> {
  const filename = file.filename ? { filename: file.filename } : {}
  if (file.file_id) return { type: 'document', document: { type: 'file', id: file.file_id }, ...filename }
  if (!file.file_data) {
    throw new WireError(
      `'${param}.file' needs file_data or file_id.`,
      `${param}.file.file_data`,
      'missing_required_parameter',
    )
  }
  // The API takes a data URL; several clients send bare base64 of a PDF.
  const document = file.file_data.startsWith('data:')
    ? readAddress(file.file_data, `${param}.file.file_data`)
    : readBase64(file.file_data, 'application/pdf', `${param}.file.file_data`)
  return { type: 'document', document, ...filename }
}
