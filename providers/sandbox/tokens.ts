// The sandbox's tokeniser: word pieces by a fixed rule. Every token is at least one byte of UTF-8, so a count never
// exceeds the router's upper bound (UTF-8 bytes and 16 a message).
import type { ChatMessage, ContentPart } from '../../src/contract.ts'

const TOKEN = /\s?[\p{L}\p{M}]{1,6}|\s?\p{N}{1,3}|\s?[^\s\p{L}\p{N}]{1,3}|\s+/gu

/** The pieces joined are the text again, and a prefix of the pieces splits into the same pieces. */
export const tokensOf = (text: string): string[] => text.match(TOKEN) ?? []

export const countTokens = (text: string): number => tokensOf(text).length

/** 4 tokens a message and its text, or 16 and its text if it carries files, whatever their size. */
export function countMessages(messages: ChatMessage[]): number {
  let total = 0
  for (const message of messages) {
    const parts = message.content.flatMap(withNested)
    total += parts.some(isFile) ? 16 : 4
    for (const part of parts) total += countTokens(textOf(part))
  }
  return total
}

/** How long it all is, without looking at it: counting what no context holds would hold up everybody. */
export const lengthOfMessages = (messages: ChatMessage[]): number =>
  messages.reduce(
    (sum, { content }) => content.flatMap(withNested).reduce((all, part) => all + textOf(part).length, sum),
    0,
  )

const withNested = (part: ContentPart): ContentPart[] =>
  part.type === 'tool_result' ? part.content.flatMap(withNested) : [part]

const isFile = (part: ContentPart): boolean => ['image', 'audio', 'video', 'document'].includes(part.type)

function textOf(part: ContentPart): string {
  if (part.type === 'text' || part.type === 'refusal' || part.type === 'reasoning') return part.text
  return part.type === 'tool_call' ? part.name + part.arguments : ''
}
