// Anthropic's messages as callers speak them.
import type { JsonObject } from '../../contract.ts'
import type { ChatFront } from '../front.ts'
import { isRecord, record } from '../lenient.ts'
import { collect, encodeAnswer, readAnswer, readStream } from './answer.ts'
import { errorEvent } from './errors.ts'
import { inputUpperBound, keepsAnHour } from './estimate.ts'
import { withoutForeign } from './foreign.ts'
import { toCanonical } from './request.ts'
import { MessageTap } from './tap.ts'
import { encodeWireEvent, MessageWriter } from './writer.ts'

export const anthropicMessagesFront: ChatFront = {
  protocol: 'anthropic-messages',

  facts(body) {
    const { max_tokens } = body
    return {
      stream: body.stream === true,
      ...(typeof max_tokens === 'number' && {
        output_limit: { tokens: max_tokens, param: 'max_tokens', demanded: true },
      }),
      // A shortening of the conversation is an answer of its own beside the one that was asked for.
      choices: compacts(body) ? 2 : 1,
      attributes: tierOf(body),
      speaks: false,
      ...(keepsAnHour(body) && { keeps_an_hour: true }),
    }
  },

  toCanonical,
  inputUpperBound,

  withoutForeign: (body) => ({ ...body, messages: withoutForeign(body.messages) }),

  // The limit is the caller's own, where it set one that the model can keep.
  toProvider: (body, { upstream, output_limit }) => ({
    ...body,
    model: upstream,
    max_tokens: output_limit,
    messages: withoutForeign(body.messages),
  }),

  tap: (_body, provider) => new MessageTap(provider),

  encoder(_body, head) {
    const writer = new MessageWriter(head)
    return {
      encode: (event) => writer.write(event).map(encodeWireEvent).join(''),
      tail: (usage, cost_usd) => writer.end(usage, cost_usd).map(encodeWireEvent).join(''),
    }
  },

  collect,
  readAnswer,
  encodeAnswer,
  readStream,
  errorEvent,
}

/** Faster service and service in one country are sold at prices of their own, as a tier is elsewhere. */
function tierOf({ service_tier, speed, inference_geo }: JsonObject): Record<string, string> {
  if (typeof speed === 'string' && speed !== 'standard') return { tier: speed }
  if (typeof inference_geo === 'string' && inference_geo !== 'global') return { tier: `inference_geo ${inference_geo}` }
  return typeof service_tier === 'string' ? { tier: service_tier } : {}
}

function compacts({ context_management }: JsonObject): boolean {
  const { edits } = record(context_management)
  return Array.isArray(edits) && edits.some((edit) => isRecord(edit) && String(edit.type).startsWith('compact'))
}
