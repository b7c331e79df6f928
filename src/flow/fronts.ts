// The chat formats that callers may speak, by protocol: a job that waits names its own.
import type { Protocol } from '../contract.ts'
import type { ChatFront } from '../protocols/front.ts'
import { openaiChatFront } from '../protocols/openai-chat/front.ts'

const FRONTS: Partial<Record<Protocol, ChatFront>> = { 'openai-chat': openaiChatFront }

/** Throws for a protocol that callers cannot speak here. */
export function frontOf(protocol: string): ChatFront {
  const front = FRONTS[protocol as Protocol]
  if (!front) throw new Error(`No caller can speak ${protocol} here.`)
  return front
}
