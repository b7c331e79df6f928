// The chat formats that callers may speak, by protocol: a job that waits names its own.
import { anthropicMessagesFront } from '../../protocols/anthropic-messages/front.ts'
import type { ChatFront } from '../../protocols/front.ts'
import { geminiFront } from '../../protocols/gemini/front.ts'
import { openaiChatFront } from '../../protocols/openai-chat/front.ts'
import { openaiCompletionsFront } from '../../protocols/openai-completions/front.ts'
import { openaiResponsesFront } from '../../protocols/openai-responses/front.ts'

const FRONTS: Partial<Record<ChatFront['protocol'], ChatFront>> = {
  'openai-chat': openaiChatFront,
  'openai-completions': openaiCompletionsFront,
  'openai-responses': openaiResponsesFront,
  'anthropic-messages': anthropicMessagesFront,
  gemini: geminiFront,
}

/** Throws for a protocol that callers cannot speak here. */
export function frontOf(protocol: string): ChatFront {
  const front = FRONTS[protocol as ChatFront['protocol']]
  if (!front) throw new Error(`No caller can speak ${protocol} here.`)
  return front
}
