// What every provider must keep to, checked against a real server on loopback: describeProvider runs it for one.
// It knows nothing of any provider; what a good answer looks like comes from its fixtures.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Asset,
  type Call,
  type ChatRequest,
  type Connection,
  type ErrorKind,
  type Generator,
  type JsonObject,
  METERS,
  OPERATIONS,
  type Operation,
  PROTOCOLS,
  type Progress,
  type ProviderDefinition,
  ProviderError,
  type Usage,
} from '../../src/contract.ts'
import { makeProviderFetch } from '../../src/protocols/transport.ts'
import { type Answer, json, Stub, until } from './stub.ts'

/** True answers of the provider, one an operation, served for as many requests as the work takes. */
export interface Fixtures {
  /** Settings beside the key and the address, which the suite fills in. */
  settings?: Record<string, string>
  /** `options` of a price entry for each operation, where the adapter works by them. */
  options?: Partial<Record<Operation, JsonObject>>
  chat?: { answer: Answer; text: string }
  generators?: Partial<Record<Exclude<Operation, 'chat'>, { request?: object; answer: Answer }>>
}

const SECRET = 'sk-hush0123456789abcdef'
const upstream = 'model-1'
const bytes = (media_type: string): Extract<Asset, { type: 'bytes' }> => ({
  type: 'bytes',
  data: Buffer.from('not really media'),
  media_type,
})

/** The least that one can ask of each operation. */
const REQUESTS: Record<Operation, object> = {
  chat: {
    model: upstream,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
    max_output_tokens: 100,
  } satisfies ChatRequest,
  image: { model: upstream, prompt: 'a cat', n: 1 },
  video: { model: upstream, prompt: 'a cat', seconds: 4 },
  speech: { model: upstream, input: 'Hello there', voice: 'alloy', format: 'mp3' },
  transcription: { model: upstream, audio: bytes('audio/wav'), seconds: 2, task: 'transcribe', format: 'json' },
  embedding: { model: upstream, input: ['Hello', 'there'], encoding_format: 'float' },
  moderation: { model: upstream, input: 'Hello' },
}

/** What a provider's refusals mean, whatever the form of its error bodies. */
const REFUSALS: [number, ErrorKind[]][] = [
  [400, ['invalid_request']],
  [401, ['authentication']],
  [402, ['quota']],
  [403, ['permission', 'authentication']],
  [404, ['not_found']],
  [429, ['rate_limit']],
  [500, ['unavailable']],
  [503, ['overloaded', 'unavailable']],
]

const callWith = (signal: AbortSignal, options: JsonObject = {}): Call => ({
  job: 'job_conformance',
  upstream,
  options,
  signal,
  log: { debug: () => {}, warn: () => {} },
})

async function failure(work: Promise<unknown>): Promise<ProviderError> {
  const error: unknown = await work.then(
    () => expect.unreachable('it did not fail'),
    (cause: unknown) => cause,
  )
  if (!(error instanceof ProviderError)) throw error
  for (const text of [error.message, JSON.stringify(error.detail), String(error)]) {
    expect(text).not.toMatch(/hush|127\.0\.0\.1|https?:/)
  }
  return error
}

/** Fills in the settings: an address is the stub's, with the path that the real one has; all else is the secret. */
function settingsFor(definition: ProviderDefinition, url: string, given: Record<string, string> = {}) {
  const values: Record<string, string> = {}
  for (const [name, schema] of Object.entries(definition.settings.shape)) {
    const usual: unknown = schema.safeParse(undefined).data
    if (!name.includes('url')) values[name] = typeof usual === 'string' ? usual : SECRET
    else values[name] = url + (typeof usual === 'string' ? new URL(usual).pathname.replace(/\/$/, '') : '/v1')
  }
  return { ...values, ...given }
}

export function describeProvider(id: string, definition: ProviderDefinition, fixtures: Fixtures = {}): void {
  describe(id, () => {
    let stub: Stub
    let connection: Connection
    let fetch: ReturnType<typeof makeProviderFetch>
    beforeAll(async () => {
      stub = await new Stub().start()
      fetch = makeProviderFetch({ provider: definition.name })
      const settings = settingsFor(definition, stub.url, fixtures.settings)
      connection = definition.connect(definition.settings.parse(settings), { fetch })
    })
    afterAll(async () => {
      await stub.stop()
      await fetch.close()
    })

    /** As the registry hands them over. */
    function optionsOf(operation: Operation): JsonObject {
      const { options: schema } = definition
      const options = fixtures.options?.[operation]
      if (!schema || !options) return options ?? {}
      const entry = { upstream, operation: [operation], limits: {}, meters: [] }
      return (typeof schema === 'function' ? schema(entry) : schema).parse(options)
    }

    /** Everything that one operation does, to its end. */
    async function run(operation: Operation, signal: AbortSignal, request: object = {}): Promise<unknown> {
      const whole = { ...REQUESTS[operation], ...request }
      if (operation === 'chat') {
        const [chat] = connection.chat ?? []
        return chat && Array.fromAsync(chat.stream(whole as ChatRequest, callWith(signal, optionsOf(operation))))
      }
      return finish(connection[operation] as Generator<object, unknown>, whole, callWith(signal, optionsOf(operation)))
    }
    const running = (operation: Operation, request?: object) => run(operation, new AbortController().signal, request)

    it('is a definition that the router can use', () => {
      expect(id).toMatch(/^[a-z][a-z0-9-]*$/)
      expect(definition).toMatchObject({
        contract: 1,
        name: expect.stringMatching(/\S/),
        docs: expect.stringMatching(/\S/),
      })
      expect(Object.keys(connection).every((name) => (OPERATIONS as readonly string[]).includes(name))).toBe(true)
      for (const { protocol, forward } of connection.chat ?? []) {
        if (protocol !== undefined) expect([...PROTOCOLS, 'openai-completions']).toContain(protocol)
        if (forward) expect(protocol).toBeDefined()
      }
    })

    it('touches no network when it connects', () => expect(stub.seen).toEqual([]))

    const connected = definition.connect(
      definition.settings.parse(settingsFor(definition, 'http://127.0.0.1:9', fixtures.settings)),
      { fetch: makeProviderFetch({ provider: definition.name }) },
    )
    const operations = OPERATIONS.filter((operation) => connected[operation] !== undefined)

    describe.each(operations)('%s', (operation) => {
      it.each(REFUSALS)('knows what status %i means and gives away no secret', async (status, kinds) => {
        const message = `Bad key ${SECRET}, see https://internal.test/hush?key=${SECRET}`
        stub.answer = json({ error: { message } }, status, { 'retry-after': '7' })
        const error = await failure(running(operation))
        expect(kinds).toContain(error.kind)
        expect(error.detail.status).toBe(status)
        if (status === 429) expect(error.detail.retry_after_ms).toBe(7000)
      })

      it('calls an answer that makes no sense a bad response', async () => {
        stub.answer = (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hush</html>')
        expect((await failure(running(operation))).kind).toBe('bad_response')
      })

      it('calls a provider that breaks off unavailable, or its answer a bad response', async () => {
        stub.answer = (response) => {
          response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' }).write('{"')
          setImmediate(() => response.destroy())
        }
        expect(['unavailable', 'bad_response']).toContain((await failure(running(operation))).kind)
      })

      it('ends the provider’s work when the call is aborted, and says canceled', async () => {
        const broken = stub.broken
        const seen = stub.seen.length
        stub.answer = () => {}
        const abort = new AbortController()
        const work = failure(run(operation, abort.signal))
        await until(() => stub.seen.length > seen)
        abort.abort()
        expect((await work).kind).toBe('canceled')
        await until(() => stub.broken > broken)
      })

      it('says timeout when the deadline passes while the provider is silent', async () => {
        stub.answer = () => {}
        expect((await failure(run(operation, AbortSignal.timeout(40)))).kind).toBe('timeout')
      })
    })

    it.runIf(fixtures.chat && operations.includes('chat'))(
      'streams what the provider said, and one usage at the end',
      async () => {
        const { answer = json({}), text } = fixtures.chat ?? {}
        stub.answer = answer
        const events = (await running('chat')) as { type: string; text?: string; usage?: Usage }[]
        expect(events.map((event) => (event.type === 'text' ? event.text : '')).join('')).toBe(text)
        expect(events.filter((event) => event.type === 'finish').length).toBe(1)
        expect(events.filter((event) => event.type === 'usage')).toEqual([events.at(-1)])
        const usage = events.at(-1)?.usage
        checkUsage(usage)
        expect(usage?.source).toBe('reported')
      },
    )

    const made = Object.entries(fixtures.generators ?? {}).filter(([name]) => operations.includes(name as Operation))
    it.each(made)('makes %s, within its own estimate', async (name, { request, answer }) => {
      const operation = name as Exclude<Operation, 'chat'>
      stub.answer = answer
      const progress = (await running(operation, request)) as Progress<unknown>
      if (progress.status !== 'done') throw new Error(`it ended as ${progress.status}`)
      checkUsage(progress.usage)
      const generator = connection[operation] as Generator<object, unknown>
      const estimate = generator.estimate?.({ ...REQUESTS[operation], ...request }, upstream, optionsOf(operation))
      if (!estimate) return
      expect(estimate.source).toBe('estimated')
      for (const [meter, quantity] of Object.entries(progress.usage.meters)) {
        expect(estimate.meters[meter as keyof Usage['meters']] ?? 0, meter).toBeGreaterThanOrEqual(quantity)
      }
    })
  })
}

function checkUsage(usage: Usage | undefined): void {
  const entries = Object.entries(usage?.meters ?? {})
  expect(entries.length).toBeGreaterThan(0)
  for (const [meter, quantity] of entries) {
    expect(METERS).toContain(meter)
    expect(quantity).toBeGreaterThanOrEqual(0)
  }
}

/** Starts, and polls at once as long as there is something to wait for; what failed is thrown. */
async function finish(generator: Generator<object, unknown>, request: object, call: Call): Promise<Progress<unknown>> {
  let progress = await generator.start(request, call)
  for (let polls = 0; progress.status === 'pending' && polls < 20; polls++) {
    expect(generator.poll, 'pending needs poll').toBeDefined()
    progress = (await generator.poll?.(JSON.parse(JSON.stringify(progress.ref)), call)) ?? progress
  }
  if (progress.status === 'failed') throw progress.error
  return progress
}
