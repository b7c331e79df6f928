// What a conversation asks for now: the user's last words, the files with them, and the tool results not yet answered.
import type { ChatMessage, ContentPart } from '../../src/contract.ts'

export interface Conversation {
  prompt: string
  /** The user spoke after the assistant's last message; otherwise the turn continues, as after a tool's result. */
  fresh: boolean
  files: Extract<ContentPart, { type: 'image' | 'audio' | 'video' | 'document' }>[]
  tool_results: string[]
}

/** Orders count in the user's last message only: a conversation carries its old messages, and with them old orders. */
export function readConversation(messages: ChatMessage[]): Conversation {
  const last_answer = messages.findLastIndex(({ role }) => role === 'assistant')
  const last_words = messages.findLastIndex(({ role, content }) => role === 'user' && content.some(isOwn))
  const own = messages[last_words]?.content ?? []
  return {
    prompt: joinText(own),
    fresh: last_words > last_answer,
    files: own.filter((part) => ['image', 'audio', 'video', 'document'].includes(part.type)) as Conversation['files'],
    tool_results: messages
      .slice(last_answer + 1)
      .flatMap(({ content }) => content)
      .flatMap((part) => (part.type === 'tool_result' ? [joinText(part.content)] : [])),
  }
}

const isOwn = (part: ContentPart): boolean => part.type !== 'tool_result'

const joinText = (parts: ContentPart[]): string =>
  parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n')
