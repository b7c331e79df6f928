// Streams as networks and providers spoil them: cut within a character, ended in other ways than the vendor does, broken
// off. Each is made of one answer in a provider's own format.
import type { ServerResponse } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import type { JsonObject, Protocol } from '../../src/contract.ts'
import { FORMATS } from './replay.ts'
import { frame } from './said.ts'

export const WORDS = 'Grüße, 世界! 🦊🧑‍🚀 — naïve façade, ￦1,000 ✓'

/** An answer of one text, as a provider of this format gives it whole. */
function answerOf(protocol: Protocol, text: string): JsonObject {
  switch (protocol) {
    case 'openai-chat': {
      const choice = { index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }
      const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }
      return { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'm', choices: [choice], usage }
    }
    case 'openai-responses': {
      const content = [{ type: 'output_text', text, annotations: [] }]
      const message = { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content }
      const usage = { input_tokens: 10, output_tokens: 5, total_tokens: 15 }
      return {
        id: 'resp_1',
        object: 'response',
        created_at: 1,
        status: 'completed',
        model: 'm',
        output: [message],
        usage,
      }
    }
    case 'anthropic-messages': {
      const usage = { input_tokens: 10, output_tokens: 5 }
      const content = [{ type: 'text', text }]
      return { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content, stop_reason: 'end_turn', usage }
    }
    case 'gemini': {
      const usageMetadata = { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 }
      const candidate = { content: { parts: [{ text }], role: 'model' }, finishReason: 'STOP', index: 0 }
      return { candidates: [candidate], usageMetadata, modelVersion: 'm', responseId: 'r' }
    }
  }
}

/** Its stream, event by event, each with its blank line. */
export function eventsFor(protocol: Protocol, text: string): string[] {
  const format = FORMATS.find((each) => each.protocol === protocol)
  const stream = format?.restream(answerOf(protocol, text)) ?? ''
  return stream.split(/(?<=\n\n|\r\n\r\n)/)
}

/** What a provider of this format says when it breaks in the middle. */
export function errorIn(protocol: Protocol): string {
  const message = 'The engine is overloaded.'
  switch (protocol) {
    case 'openai-chat':
      return frame({ error: { message, type: 'server_error', code: 'overloaded' } })
    case 'openai-responses':
      return frame({ type: 'error', sequence_number: 9, code: 'server_error', message, param: null }, 'error')
    case 'anthropic-messages':
      return frame({ type: 'error', error: { type: 'overloaded_error', message } }, 'error')
    case 'gemini':
      return frame({ error: { code: 503, message, status: 'UNAVAILABLE' } })
  }
}

/** The events before the middle, some output among them. */
export const halfOf = (events: string[]): string[] => events.slice(0, Math.ceil(events.length / 2))

export const crlf = (stream: string): string => stream.replace(/\r\n/g, '\n').replace(/\n/g, '\r\n')

/** Comments in front of, between and behind the events, and such as keep a connection awake. */
export const withComments = (events: string[]): string =>
  `: welcome\n\n${events.map((event) => `: keep-alive\n\n:\n${event}`).join(': \n\n')}: bye\n\n`

/** Every byte in a packet of its own. */
export async function byteByByte(response: ServerResponse, stream: string): Promise<void> {
  for (const byte of Buffer.from(stream)) {
    response.write(Uint8Array.of(byte))
    await turn()
  }
  response.end()
}

/** Sends what there is, and then drops the connection. */
export async function dropped(response: ServerResponse, stream: string): Promise<void> {
  await new Promise((sent) => response.write(stream, sent))
  await turn()
  response.destroy()
}
