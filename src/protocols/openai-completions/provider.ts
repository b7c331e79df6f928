// A server of OpenAI's chat format that still serves legacy completions: prompts go there as they are, not as a chat.
import type { Call, ChatConnection, JsonObject } from '../../contract.ts'
import { type ChatServer, openaiChat } from '../openai-chat/provider.ts'
import { sendOrThrow } from '../send.ts'

/** Beside the chat of the same server, which it falls back on for callers of every other format. */
export function openaiCompletions(server: ChatServer): ChatConnection {
  const url = `${server.base_url.replace(/\/+$/, '')}/completions`
  const headers = {
    ...(server.api_key ? { authorization: `Bearer ${server.api_key}` } : {}),
    'content-type': 'application/json',
    ...server.headers,
  }
  return {
    ...openaiChat(server),
    protocol: 'openai-completions',
    forward: (body: JsonObject, call: Call) =>
      sendOrThrow(
        server.fetch,
        {
          method: 'POST',
          url,
          headers: { ...headers, 'idempotency-key': call.job },
          body: JSON.stringify(body),
          signal: call.signal,
        },
        server.provider,
      ),
  }
}
