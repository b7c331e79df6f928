// Google's generateContent as callers speak it.
import type { JsonObject } from '../../contract.ts'
import type { ChatFront } from '../front.ts'
import { collect, encodeAnswer, readAnswer, readStream } from './answer.ts'
import { ChunkEncoder } from './chunks.ts'
import { errorBody } from './errors.ts'
import { inputUpperBound } from './estimate.ts'
import { settingsOf, toCanonical } from './request.ts'
import { signedFor } from './signatures.ts'
import { GeminiTap } from './tap.ts'

const withoutForeign = (body: JsonObject, upstream: string): JsonObject => ({
  ...body,
  contents: signedFor(upstream, body.contents),
})

export const geminiFront: ChatFront = {
  protocol: 'gemini',

  facts(body) {
    const { maxOutputTokens: tokens, candidateCount, responseModalities } = settingsOf(body)
    return {
      stream: body.stream === true,
      ...(typeof tokens === 'number' && { output_limit: { tokens, param: 'generationConfig.maxOutputTokens' } }),
      choices: typeof candidateCount === 'number' ? candidateCount : 1,
      attributes: typeof body.serviceTier === 'string' ? { tier: body.serviceTier.toLowerCase() } : {},
      speaks: Array.isArray(responseModalities) && responseModalities.some((each) => /^audio$/i.test(String(each))),
    }
  },

  toCanonical,
  inputUpperBound,

  withoutForeign,

  toProvider(body, { upstream, output_limit }) {
    const settings = settingsOf(body)
    const limited: JsonObject = { ...settings, maxOutputTokens: settings.maxOutputTokens ?? output_limit }
    return { ...withoutForeign(body, upstream), model: upstream, generationConfig: limited }
  },

  tap: (_body, provider) => new GeminiTap(provider),
  encoder: (_body, head) => new ChunkEncoder(head),
  collect,
  readAnswer,
  encodeAnswer,
  readStream,
  errorEvent: (error) => `data: ${JSON.stringify(errorBody(error))}\r\n\r\n`,
}
