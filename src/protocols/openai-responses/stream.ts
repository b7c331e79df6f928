// A stream of the Responses API as callers read it: numbered events, the response object at its beginning and its end.
import type { ChatEvent, FinishReason, JsonObject, Usage } from '../../contract.ts'
import type { AnswerHead, StreamEncoder } from '../front.ts'
import { encodeEvent } from '../sse.ts'
import { exactJson } from './answer.ts'
import { errorFields, responseOf, statusOf } from './response.ts'
import { toolsIn } from './tools.ts'
import { OutputWriter } from './writer.ts'

/** One encoder writes one answer. */
export class ResponseEncoder implements StreamEncoder {
  #body: JsonObject
  #head: AnswerHead
  #writer: OutputWriter
  #number = 0
  #reason: FinishReason | undefined

  constructor(body: JsonObject, head: AnswerHead) {
    this.#body = body
    this.#head = head
    this.#writer = new OutputWriter(head.id, toolsIn(body))
  }

  encode(event: ChatEvent): string {
    if (event.type === 'usage') return ''
    if (event.type === 'finish') this.#reason ??= event.reason
    const begin = this.#number === 0 ? this.#begin() : ''
    const events = this.#writer.write(event)
    return begin + events.map(({ type, ...fields }) => this.#frame(type, fields)).join('')
  }

  tail(usage: Usage, cost_usd: string): string {
    const response = this.answer()
    // It may be asked for more than once, and stays the same event.
    const last = { response: exactJson(response, usage, cost_usd) }
    return numbered(`response.${String(response.status)}`, this.#number, last)
  }

  /** The whole answer without its usage, once its finish was encoded. */
  answer(): JsonObject {
    const completed_at = Math.floor(Date.now() / 1000)
    const state = { ...statusOf(this.#reason ?? 'stop'), output: this.#writer.items }
    return responseOf(this.#body, this.#head, { ...state, ...(state.status === 'completed' && { completed_at }) })
  }

  /** As OpenAI ends a stream that fails: told once as an error, on which SDKs throw, and once as the response's end. */
  errorEvent({ message, type, code }: { message: string; type: string; code: string }): string {
    const begin = this.#number === 0 ? this.#begin() : ''
    const response = responseOf(this.#body, this.#head, {
      status: 'failed',
      output: this.#writer.items,
      error: { code, message },
    })
    const told = this.#frame('error', errorFields({ type, code, message, param: null }))
    return begin + told + this.#frame('response.failed', { response })
  }

  #begin(): string {
    const response = responseOf(this.#body, this.#head, { status: 'in_progress', output: [] })
    return this.#frame('response.created', { response }) + this.#frame('response.in_progress', { response })
  }

  #frame(type: string, fields: object): string {
    return numbered(type, this.#number++, fields)
  }
}

const numbered = (type: string, sequence_number: number, fields: object): string =>
  encodeEvent({ event: type, data: JSON.stringify({ type, sequence_number, ...fields }) })
