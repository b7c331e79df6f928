// The Responses API as callers speak it.
import type { JsonObject } from '../../contract.ts'
import type { ChatFront } from '../front.ts'
import { encodeEvent } from '../sse.ts'
import { collect, encodeAnswer, readAnswer, readStream } from './answer.ts'
import { inputUpperBound } from './estimate.ts'
import { withoutOwnIds } from './own_ids.ts'
import { toCanonical } from './request.ts'
import { errorFields } from './response.ts'
import { ResponseEncoder } from './stream.ts'
import { ResponseTap } from './tap.ts'
import { withoutLeftOut } from './tools.ts'

/** What the router sees to itself: a provider is told neither. The items of the earlier response are in `input`. */
const OURS = ['background', 'previous_response_id'] as const

function withoutForeign(body: JsonObject): JsonObject {
  const { input, ...sent } = body
  for (const name of OURS) delete sent[name]
  return input === undefined ? sent : { ...sent, input: withoutOwnIds(input) ?? null }
}

export const openaiResponsesFront: ChatFront = {
  protocol: 'openai-responses',

  facts(body) {
    const { stream, max_output_tokens: tokens, service_tier: tier } = body
    return {
      stream: stream === true,
      ...(typeof tokens === 'number' && { output_limit: { tokens, param: 'max_output_tokens' } }),
      choices: 1,
      attributes: typeof tier === 'string' ? { tier } : {},
      speaks: false,
    }
  },

  toCanonical,
  translatable: withoutLeftOut,
  inputUpperBound,

  withoutForeign,

  toProvider(body, { upstream, output_limit }) {
    const max_output_tokens = body.max_output_tokens ?? output_limit
    return { ...withoutForeign(body), model: upstream, max_output_tokens }
  },

  tap: (body, provider) => new ResponseTap(provider, (response) => present(response, body)),
  encoder: (body, head) => new ResponseEncoder(body, head),
  collect,
  present,
  readAnswer,
  encodeAnswer,
  readStream,

  errorEvent({ message, type, code }) {
    const event = { type: 'error', sequence_number: 0, ...errorFields({ type, code, message, param: null }) }
    return encodeEvent({ event: 'error', data: JSON.stringify(event) })
  },
}

/** The provider never heard of the earlier response, whose items the router put into the input. */
function present(response: JsonObject, { previous_response_id }: JsonObject): JsonObject {
  return previous_response_id ? { ...response, previous_response_id } : response
}
