// Generators out of a provider that takes any model's inputs as JSON and works on them in a queue: the map says what goes
// in and what comes out, the queue how it is carried. It knows no provider and no price.
import { z } from 'zod'
import {
  type Asset,
  type Call,
  type Connection,
  done,
  failed,
  type Generator,
  type Json,
  type JsonObject,
  METERS,
  type Progress,
  ProviderError,
  pending,
} from '../../contract.ts'
import { applyMap, fillInput, type Order } from './apply.ts'
import { FIELDS, type MappedOperation, said } from './fields.ts'
import { type Outputs, readOutput } from './read.ts'
import { type ModelMap, type OutputMap, sourceSchema } from './schema.ts'
import { estimateOf, sourcesOf, type Told, toldBy, usageOf } from './usage.ts'

/** One look at work in a provider's queue. Paths of maps go into `answer`. */
export type Look =
  | { state: 'pending'; ticket: Json; percent?: number | undefined; poll_after_ms?: number | undefined }
  | { state: 'done'; answer: JsonObject }
  | { state: 'failed'; error: ProviderError }

export interface Queue {
  /** For people: 'Acme'. */
  provider: string
  submit(upstream: string, input: JsonObject, call: Call): Promise<Look>
  look(ticket: Json, call: Call): Promise<Look>
  cancel(ticket: Json, call: Call): Promise<void>
  /** The address under which the provider reads a file: its own store's, or a data: URL. */
  place(file: Asset, call: Call): Promise<string>
  webhook?: NonNullable<Generator<never, never>['webhook']>
}

/** All that is needed to read the answer, whatever becomes of the price file meanwhile. */
const Ref = z.object({
  ticket: z.json(),
  output: z.custom<OutputMap>((value) => typeof value === 'object' && value !== null),
  sources: z.array(z.tuple([z.enum(METERS), sourceSchema])),
  told: z.object({
    files: z.number(),
    seconds: z.number().exactOptional(),
    characters: z.number().exactOptional(),
    pixels: z.number().exactOptional(),
  }),
  attributes: z.record(z.string(), z.string()),
})
type Ref = Omit<z.output<typeof Ref>, 'ticket' | 'told'> & { ticket: Json; told: Told }

/** Everything of images, video, speech and transcription that maps can say. */
export function mappedGenerators(queue: Queue): Connection {
  return {
    image: {
      ...generator(queue, 'image'),
      mask: 'white',
      most_at_once: (_upstream, options) => mostAtOnce(mapOf(options)),
    },
    video: generator(queue, 'video'),
    speech: { ...generator(queue, 'speech'), formats: (options) => mapOf(options).output.formats },
    transcription: generator(queue, 'transcription'),
  }
}

/** Without an input for their number a model makes one picture. */
function mostAtOnce({ input }: ModelMap): number {
  const rule = input.n
  return rule ? (rule.max ?? IMAGES_MAX) : 1
}

const IMAGES_MAX = 10

function generator<Operation extends MappedOperation>(
  queue: Queue,
  operation: Operation,
): Generator<{ model: string }, Outputs[Operation]> {
  type Output = Outputs[Operation]

  async function start(request: object, call: Call): Promise<Progress<Output>> {
    const map = mapOf(call.options)
    const order = orderOf(map, operation, request)
    const input = await fillInput(order, (file) => queue.place(file, call))
    const look = await queue.submit(order.upstream ?? call.upstream, input, call)
    return progressOf(look, {
      output: map.output,
      sources: sourcesOf(map, operation),
      told: toldBy(request, order),
      attributes: order.attributes,
    })
  }

  function progressOf(look: Look, plan: Omit<Ref, 'ticket'>): Progress<Output> {
    if (look.state === 'pending') {
      const ref = { ...plan, ticket: look.ticket } as unknown as Json
      return pending(ref, look.percent, look.poll_after_ms)
    }
    if (look.state === 'failed') return failed(look.error)
    try {
      const { output, files } = readOutput(operation, plan.output, look.answer, {
        provider: queue.provider,
        most: plan.told.files,
      })
      return done(output, usageOf(plan.sources, plan.told, plan.attributes, { files, answer: look.answer }))
    } catch (error) {
      if (error instanceof ProviderError) return failed(error)
      throw error
    }
  }

  return {
    start,
    async poll(ref, call) {
      const { ticket, ...plan } = Ref.parse(ref) as Ref
      return progressOf(await queue.look(ticket, call), plan)
    },
    cancel: (ref, call) => queue.cancel((Ref.parse(ref) as Ref).ticket, call),
    ...(queue.webhook && { webhook: queue.webhook }),
    // The fields of all maps: what the one at hand does not have, `estimate` refuses by name.
    takes: FIELDS[operation],
    estimate(request, _upstream, options) {
      const map = mapOf(options)
      const order = orderOf(map, operation, request)
      return estimateOf(sourcesOf(map, operation), toldBy(request, order), order.attributes)
    },
  }
}

function orderOf(map: ModelMap, operation: MappedOperation, request: object): Order {
  if (operation === 'video' && said(request, 'change') !== undefined)
    throw new ProviderError('invalid_request', 'This model cannot change a film that is done.', { param: 'id' })
  return applyMap(map, operation, request)
}

/** The registry has checked it. A job that waited may have outlived its entry. */
function mapOf(options: JsonObject): ModelMap {
  if (options.input !== undefined) return options as unknown as ModelMap
  throw new ProviderError('unavailable', 'The price file does not say any more what this model takes.')
}
