// The input items of a caller's response request in canonical form: messages, calls and results of tools, reasoning.
import type { ChatMessage, ContentPart } from '../../contract.ts'
import { readAddress, readBase64 } from '../address.ts'
import { plainId, readCallId } from '../call_ids.ts'
import { WireError } from '../wire_error.ts'
import {
  type BodyContent,
  type BodyItem,
  type BodyPart,
  isKnownItem,
  isKnownPart,
  type ResponsesBody,
} from './schema.ts'
import { readSealed } from './sealed.ts'
import { readSummary, summaryText } from './summary.ts'

/**
 * Items of the model's own (its words, calls and reasoning) that stand together are one message here. Throws WireError
 * for what only a provider of this protocol understands.
 */
export function readInput(input: ResponsesBody['input']): ChatMessage[] {
  if (typeof input === 'string') return [{ role: 'user', content: [{ type: 'text', text: input }] }]
  const messages: ChatMessage[] = []
  for (const [index, item] of (input ?? []).entries()) {
    const param = `input[${index}]`
    if (!isKnownItem(item)) throw foreign(`items of type '${String(item.type)}'`, `${param}.type`)
    if (item.type === 'additional_tools') continue
    const message = readItem(item, param)
    const last = messages.at(-1)
    if (last?.role === 'assistant' && message.role === 'assistant') last.content.push(...message.content)
    else if (message.content.length > 0 || message.role !== 'assistant') messages.push(message)
  }
  return messages
}

function readItem(item: Exclude<BodyItem, { type: 'additional_tools' }>, param: string): ChatMessage {
  switch (item.type) {
    case 'function_call':
    case 'custom_tool_call':
      return { role: 'assistant', content: [readCall(item)] }
    case 'function_call_output':
    case 'custom_tool_call_output': {
      const content = readContent(item.output, `${param}.output`)
      return { role: 'tool', content: [{ type: 'tool_result', call_id: plainId(item.call_id), content }] }
    }
    case 'reasoning':
      return { role: 'assistant', content: readReasoning(item) }
    case 'compaction':
      return { role: 'user', content: [{ type: 'text', text: summaryText(readSummary(item, param)) }] }
    default:
      return { role: item.role, content: readContent(item.content, `${param}.content`) }
  }
}

function readCall(item: Extract<BodyItem, { type: 'function_call' | 'custom_tool_call' }>): ContentPart {
  const { call_id, name, namespace } = item
  return {
    type: 'tool_call',
    ...readCallId(call_id),
    kind: item.type === 'custom_tool_call' ? 'custom' : 'function',
    name,
    ...(namespace ? { namespace } : {}),
    arguments: item.type === 'custom_tool_call' ? item.input : item.arguments,
  }
}

/** A thought without words and without its seal says nothing to anyone. */
function readReasoning({ id, summary, content, encrypted_content }: Extract<BodyItem, { type: 'reasoning' }>) {
  const text = (content?.length ? content : (summary ?? [])).map((part) => part.text).join('\n\n')
  const sealed = readSealed(encrypted_content)
  if (text === '' && !encrypted_content) return []
  return [{ type: 'reasoning' as const, text, ...(id ? { id } : {}), ...sealed }]
}

function readContent(content: BodyContent, param: string): ContentPart[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }]
  return content.map((part, index) => {
    const place = `${param}[${index}]`
    if (!isKnownPart(part)) throw foreign(`parts of type '${part.type}'`, `${place}.type`)
    return readPart(part, place)
  })
}

function readPart(part: BodyPart, param: string): ContentPart {
  switch (part.type) {
    case 'refusal':
      return { type: 'refusal', text: part.refusal }
    case 'input_image':
      return readImage(part, param)
    case 'input_file':
      return readFile(part, param)
    default:
      return { type: 'text', text: part.text }
  }
}

function readImage(part: Extract<BodyPart, { type: 'input_image' }>, param: string): ContentPart {
  const detail = part.detail ? { detail: part.detail } : {}
  if (part.file_id) return { type: 'image', image: { type: 'file', id: part.file_id }, ...detail }
  if (!part.image_url) throw missing(`${param}.image_url`)
  return { type: 'image', image: readAddress(part.image_url, `${param}.image_url`), ...detail }
}

function readFile(part: Extract<BodyPart, { type: 'input_file' }>, param: string): ContentPart {
  const filename = part.filename ? { filename: part.filename } : {}
  if (part.file_id) return { type: 'document', document: { type: 'file', id: part.file_id }, ...filename }
  if (part.file_url) return { type: 'document', document: readAddress(part.file_url, `${param}.file_url`), ...filename }
  if (!part.file_data) throw missing(`${param}.file_data`)
  // The API takes a data URL; several clients send bare base64 of a PDF.
  const document = part.file_data.startsWith('data:')
    ? readAddress(part.file_data, `${param}.file_data`)
    : readBase64(part.file_data, 'application/pdf', `${param}.file_data`)
  return { type: 'document', document, ...filename }
}

const missing = (param: string) =>
  new WireError(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter')

const foreign = (what: string, param: string) =>
  new WireError(`The provider of this model does not understand ${what}.`, param, 'unsupported_value')
