// Moderation over OpenAI's /moderations: the answer as it came.
import type { ModerationCreateParams } from 'openai/resources/moderations'
import { z } from 'zod'
import {
  type Call,
  done,
  type Generator,
  type JsonObject,
  type ModerationOutput,
  type ModerationRequest,
} from '../../contract.ts'
import { readAnswer } from '../faults.ts'
import { callOptions, fieldsOf, type MediaServer, mediaClient, viaSdk } from './client.ts'

const Answer = z.looseObject({ results: z.array(z.looseObject({})) })

export function openaiModeration(server: MediaServer): Generator<ModerationRequest, ModerationOutput> {
  const sdk = mediaClient(server)
  const meters = ({ input }: ModerationRequest) => ({ input_tokens: Buffer.byteLength(JSON.stringify(input)) })
  return {
    takes_extra: true,
    async start(request: ModerationRequest, call: Call) {
      const fields = fieldsOf({ model: call.upstream, input: request.input }, request.extra)
      const answer: unknown = await viaSdk(server.provider, call, () =>
        sdk.moderations.create(fields as unknown as ModerationCreateParams, callOptions(call)),
      )
      readAnswer(Answer, answer, server.provider)
      const input_tokens = Math.ceil(meters(request).input_tokens / 4)
      return done({ answer: answer as JsonObject }, { meters: { input_tokens }, source: 'counted' })
    },
    estimate: (request) => ({ meters: meters(request), source: 'estimated' }),
  }
}
