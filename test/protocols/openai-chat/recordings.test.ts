// Recorded chats of real providers, replayed byte for byte by a stub: what is forwarded is what the provider sent, and
// usage and ends are found in every dialect.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Call, ChatEvent } from '../../../src/contract.ts'
import { collect, readAnswer, readStream } from '../../../src/protocols/openai-chat/answer.ts'
import { inputUpperBound } from '../../../src/protocols/openai-chat/estimate.ts'
import { chatEvents } from '../../../src/protocols/openai-chat/events.ts'
import { openaiChat } from '../../../src/protocols/openai-chat/provider.ts'
import { readChatRequest } from '../../../src/protocols/openai-chat/request.ts'
import { ChatTap } from '../../../src/protocols/openai-chat/tap.ts'
import { readUsage } from '../../../src/protocols/openai-chat/usage.ts'
import { readEvents } from '../../../src/protocols/sse.ts'
import { makeProviderFetch } from '../../../src/protocols/transport.ts'
import { WireError } from '../../../src/protocols/wire_error.ts'
import { haveRecordings, type Recording, recordingsOf } from '../../providers/recordings.ts'
import { Stub } from '../../providers/stub.ts'

const PROVIDERS = ['openai', 'groq', 'deepseek', 'mistral', 'xai', 'openrouter', 'together', 'cerebras', 'ollama']

const isChat = ({ endpoint, response }: Recording) => {
  const text = response.body_text ?? ''
  return response.status === 200 && /chat\/completions|unknown/.test(endpoint?.path ?? '') && /"choices"/.test(text)
}
const isStream = ({ response }: Recording) =>
  response.body_text?.startsWith('data:') || response.body_text?.startsWith(':')

describe.skipIf(!haveRecordings)('recorded chats (../shared/recordings)', () => {
  let stub: Stub
  let fetch: ReturnType<typeof makeProviderFetch>
  let text = ''
  beforeAll(async () => {
    stub = await new Stub().start()
    fetch = makeProviderFetch({ provider: 'Recorded' })
    stub.answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const bytes = Buffer.from(text)
      for (let at = 0; at < bytes.length; at += 1000) response.write(bytes.subarray(at, at + 1000))
      response.end()
    }
  })
  afterAll(async () => {
    await stub.stop()
    await fetch.close()
  })
  const call: Call = {
    job: 'job_1',
    upstream: 'm',
    options: {},
    signal: new AbortController().signal,
    log: { debug: () => {}, warn: () => {} },
  }

  describe.each(PROVIDERS)('%s', (provider) => {
    const chats = recordingsOf(provider).filter(isChat)
    const streams = chats
      .filter(isStream)
      .map((recording) => [recording.id, recording.response.body_text ?? ''] as const)
    const answers = chats.filter((recording) => !isStream(recording))

    it.each(streams)('forwards the stream %s as it came', async (_id, recorded) => {
      text = recorded
      const connection = openaiChat({ provider: 'Recorded', base_url: stub.url, fetch })
      const answer = await connection.forward?.({}, call)
      const tap = new ChatTap({ provider: 'Recorded', strip_usage: false })
      const sent: Uint8Array[] = []
      for await (const chunk of answer?.body ?? []) sent.push(tap.push(chunk) ?? Buffer.alloc(0))
      const result = tap.finish()
      const forwarded = Buffer.concat(sent).toString()
      if (result.error) {
        expect(recorded.startsWith(forwarded)).toBe(true)
        return
      }
      expect(result).toMatchObject({ complete: true, done: true })
      // All of it but the end, which waits: the same bytes, then the same data.
      expect(recorded.startsWith(forwarded)).toBe(true)
      const said = readEvents(recorded).map(({ data }) => withoutCost(data))
      const got = readEvents(forwarded + Buffer.from(tap.tail()).toString()).map(({ data }) => withoutCost(data))
      // Where the usage stood aside (Groq), a caller who asks for it gets a chunk of ours before the end marker.
      expect(got.length - said.length).toBe(result.usage && !said.some(hasUsage) ? 1 : 0)
      got.splice(-2, got.length - said.length)
      expect(got).toEqual(said)
      expect(result.has_output).toBe(true)
      const told = /"usage": ?\{/.test(recorded)
      expect(result.usage !== undefined).toBe(told)
    })

    it.each(streams)('reads the stream %s as canonical events that say the same', async (_id, recorded) => {
      const events: ChatEvent[] = []
      try {
        for await (const event of chatEvents(oneChunk(recorded), 'Recorded', 0)) events.push(event)
      } catch (error) {
        expect(recorded).toMatch(/"error":/)
        expect(error).toMatchObject({ name: 'ProviderError' })
        return
      }
      const head = { id: 'x', created: 1, model: 'm' }
      const { answer } = await collect(list(events), head)
      expect(answer.choices).toEqual(readStream(Buffer.from(recorded)).choices)
      expect(events.filter(({ type }) => type === 'usage')).toEqual([events.at(-1)])
    })

    it.runIf(answers.length > 0)('finds usage, ends and output in every whole answer', () => {
      for (const { id, response } of answers) {
        const answer = JSON.parse(response.body_text ?? '')
        const read = readAnswer(answer)
        expect(read.usage, id).toEqual(readUsage(answer.usage))
        expect(read.usage, id).toBeDefined()
        if (answer.choices.length === 0) continue
        expect(read.finish_reasons.length, id).toBe(answer.choices.length)
      }
    })

    it('accepts the requests, and bounds their input from above', () => {
      for (const { id, request, response } of chats) {
        const body = request?.body
        if (!body?.messages || isStream({ response } as Recording)) continue
        try {
          expect(readChatRequest(body)).toBe(body)
        } catch (error) {
          // What only that one provider takes.
          if (error instanceof WireError)
            expect(`${provider} ${error.param}`).toMatch(/mistral|openrouter|groq|cerebras/)
          else throw error
        }
        const meters = readUsage(JSON.parse(response.body_text ?? '').usage)?.meters ?? {}
        const { output_tokens: _output, web_searches, ...input } = meters
        const used = Object.values(input).reduce((total, each) => total + each, 0)
        const bound = inputUpperBound(body)
        // A search of the provider's own puts pages into the input that nobody can foresee.
        if (web_searches || body.plugins || String(body.model).startsWith('compound')) continue
        expect((bound.input_tokens ?? 0) + (bound.input_audio_tokens ?? 0), id).toBeGreaterThanOrEqual(used)
      }
    })
  })
})

const hasUsage = (chunk: unknown) => Boolean((chunk as { usage?: unknown }).usage)

function withoutCost(data: string): unknown {
  if (data === '[DONE]') return data
  const chunk = JSON.parse(data)
  if (chunk.usage) delete chunk.usage.cost
  return chunk
}

async function* oneChunk(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
async function* list(events: ChatEvent[]): AsyncGenerator<ChatEvent> {
  yield* events
}
