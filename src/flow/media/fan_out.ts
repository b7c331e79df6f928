// More pictures than a provider makes at once: several calls side by side, each under an id of its own. What succeeded is
// the result, and the only thing that is charged; where nothing did, the first failure is the failure. It never decides
// about money, and remembers nothing outside the job's `ref`.
import { setTimeout as pause } from 'node:timers/promises'
import {
  type Call,
  done,
  ERROR_KINDS,
  type ErrorKind,
  failed,
  type ImageGenerator,
  type ImageOutput,
  type ImageRequest,
  type Json,
  type JsonObject,
  type Meters,
  type Progress,
  ProviderError,
  pending,
  type Usage,
} from '../../contract.ts'
import { isRecord } from '../../protocols/lenient.ts'
import { addUsage } from '../../protocols/openai-media/image.ts'
import { laterPause } from '../attempts.ts'
import { failureOf } from '../failure.ts'

/** How many calls one request has under way at a provider. */
const AT_ONCE_MAX = 4
/** A part whose polls fail so often in a row while others' succeed is given up. */
const MISSES_MAX = 5
const POLL_AFTER_MS = 1000
/** Of ten pictures, one by one. */
const CALLS_MAX = 10
const CANCEL_MS = 10_000

/** What was not made of what was asked for; the rest was delivered and charged. */
export interface Shortfall {
  asked: number
  made: number
  errors: { code: string; message: string }[]
}
export interface Pictures extends ImageOutput {
  partial?: Shortfall
}

type Made = { output: ImageOutput; usage: Usage }
/** One call. What was made and lies in bytes is not kept in a `ref`: its own `ref` finds it again. */
type Part = { n: number } & (
  | { state: 'open'; ref: Json; percent?: number; poll_after_ms?: number; misses?: number }
  | { state: 'ready'; ref: Json; misses?: number }
  | ({ state: 'made'; ref?: Json } & Made)
  | { state: 'failed'; kind: ErrorKind; message: string; accepted: boolean }
)
/** The `ref` of a job that is several calls. The provider's own are opaque: the name keeps them apart. */
const PARTS = '$parts'

/** How many pictures each of the calls for this request asks for: `[4, 4, 2]`. */
export function callsFor(
  generator: ImageGenerator,
  { n }: ImageRequest,
  upstream: string,
  options: JsonObject,
): number[] {
  const most = Math.max(1, generator.most_at_once?.(upstream, options) ?? n)
  const whole = Array.from({ length: Math.floor(n / most) }, () => most)
  return n % most > 0 ? [...whole, n % most] : whole
}

const wrapped = new WeakMap<ImageGenerator, ImageGenerator>()

/** The generator as the flow knows it: one that makes as many as are asked for. */
export function fannedOut(generator: ImageGenerator): ImageGenerator {
  if (!generator.most_at_once) return generator
  const known = wrapped.get(generator)
  if (known) return known
  const whole = Object.assign(Object.create(generator), members(generator)) as ImageGenerator
  wrapped.set(generator, whole)
  return whole
}

function members(generator: ImageGenerator): Partial<ImageGenerator> {
  return {
    start: (request, call) => start(generator, request, call),
    estimate: (request, upstream, options) => estimate(generator, request, upstream, options),
    ...(generator.poll && {
      poll: async (ref: Json, call: Call) => {
        const parts = partsIn(ref)
        return parts ? conclude(generator, await pollAll(generator, parts, call), call) : pollOne(generator, ref, call)
      },
    }),
    ...(generator.cancel && { cancel: (ref: Json, call: Call) => cancel(generator, ref, call) }),
    ...(generator.find && { find: (call: Call) => find(generator, call) }),
  }
}

const partsIn = (ref: Json): Part[] | undefined =>
  isRecord(ref) && Array.isArray(ref[PARTS]) ? (ref[PARTS] as unknown as Part[]) : undefined

/** The provider's id of each call. */
const callOf = (call: Call, index: number): Call => {
  // Several pictures growing at once could not be told apart: only finished ones are shown.
  const { partial: _, ...quiet } = call
  return { ...quiet, job: `${call.job}.${index + 1}` }
}

async function start(generator: ImageGenerator, request: ImageRequest, call: Call): Promise<Progress<Pictures>> {
  const counts = callsFor(generator, request, call.upstream, call.options)
  if (counts.length === 1) return generator.start(request, call)
  const startOne = (n: number, index: number) =>
    partOf(n, () => generator.start({ ...request, n }, callOf(call, index)))
  const first = await inTurn(counts, startOne)
  const parts = await again(first, startOne, call.signal)
  if (call.signal.aborted) {
    await cancelAll(generator, parts, call)
    throw call.signal.reason
  }
  return conclude(generator, parts, call)
}

/** What a provider refused for being busy is asked once more, where others of the same request went through. */
async function again(
  parts: Part[],
  startOne: (n: number, index: number) => Promise<Part>,
  signal: AbortSignal,
): Promise<Part[]> {
  const busy = (part: Part) => part.state === 'failed' && !part.accepted && ERROR_KINDS[part.kind].retry === 'later'
  if (!parts.some(busy) || parts.every((part) => part.state === 'failed')) return parts
  await pause(laterPause(), undefined, { signal }).catch(() => undefined)
  if (signal.aborted) return parts
  return inTurn(parts, (part, index) => (busy(part) ? startOne(part.n, index) : Promise.resolve(part)))
}

async function partOf(n: number, work: () => Promise<Progress<ImageOutput>>): Promise<Part> {
  try {
    const progress = await work()
    if (progress.status === 'done' && progress.output.images.length > 0)
      return { n, state: 'made', output: progress.output, usage: progress.usage }
    if (progress.status === 'done') return failedPart(n, new ProviderError('bad_response', 'No picture came.'), true)
    if (progress.status === 'failed') return failedPart(n, progress.error, true)
    const { status: _, ...look } = progress
    return { n, state: 'open', ...look }
  } catch (error) {
    return failedPart(n, error, false)
  }
}

function failedPart(n: number, error: unknown, accepted: boolean): Part {
  const { kind, message } =
    error instanceof ProviderError
      ? error
      : { kind: 'internal' as const, message: 'The call failed inside the router.' }
  return { n, state: 'failed', kind, message, accepted }
}

/** At most so many at a time; answers in order. */
async function inTurn<Item, Result>(
  items: Item[],
  work: (item: Item, index: number) => Promise<Result> | Result,
): Promise<Result[]> {
  const results: Result[] = []
  const queue = items.entries()
  const lane = async () => {
    for (const [index, item] of queue) results[index] = await work(item, index)
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE_MAX, items.length) }, lane))
  return results
}

/** The parts together as one answer of the provider. Throws where none was accepted, so that another offer may be tried. */
async function conclude(generator: ImageGenerator, parts: Part[], call: Call): Promise<Progress<Pictures>> {
  if (parts.some(({ state }) => state === 'open')) return goOn(generator, parts, call)
  const fetched = await inTurn(parts, (part, index) =>
    part.state === 'ready' ? fetchAgain(generator, part, callOf(call, index)) : part,
  )
  if (fetched.some(({ state }) => state === 'ready')) {
    return goOn(generator, fetched, call)
  }
  const made = fetched.filter((part) => part.state === 'made')
  if (made.length > 0) return together(fetched, made)
  const failures = fetched.filter((part) => part.state === 'failed')
  const [first] = failures
  const error = new ProviderError(first?.kind ?? 'bad_response', first?.message ?? 'Nothing was made.')
  if (failures.every(({ accepted }) => !accepted)) throw error
  return failed(error)
}

/** Kept on the job; or, where what is made already has no place there, waited for here. */
async function goOn(generator: ImageGenerator, parts: Part[], call: Call): Promise<Progress<Pictures>> {
  const kept = parts.map(keptOf)
  if (kept.every((part) => part !== undefined))
    return pending({ [PARTS]: kept as unknown as Json }, percentOf(parts), pollAfter(parts))
  return conclude(generator, await pollAfterPause(generator, parts, call), call)
}

const withRef = (part: Part, ref: Json): Part => (part.state === 'made' ? { ...part, ref } : part)

/** What was made once is not lost to one poll that fails. */
async function fetchAgain(
  generator: ImageGenerator,
  part: Extract<Part, { state: 'ready' }>,
  call: Call,
): Promise<Part> {
  try {
    const progress = await pollOne(generator, part.ref, call)
    return withRef(await partOf(part.n, async () => progress), part.ref)
  } catch (error) {
    const misses = (part.misses ?? 0) + 1
    return misses < MISSES_MAX ? { ...part, misses } : failedPart(part.n, error, true)
  }
}

/** Bytes of pictures are megabytes: they do not belong on the job. Undefined where nothing else would find them again. */
function keptOf(part: Part): Part | undefined {
  if (part.state !== 'made' || part.output.images.every(({ image }) => image.type === 'url')) return part
  return part.ref === undefined ? undefined : { n: part.n, state: 'ready', ref: part.ref }
}

/** For a provider that finishes some calls at once and others later: the short way, in memory. */
async function pollAfterPause(generator: ImageGenerator, parts: Part[], call: Call): Promise<Part[]> {
  await pause(pollAfter(parts) ?? POLL_AFTER_MS, undefined, { signal: call.signal }).catch(() => undefined)
  if (!call.signal.aborted) return pollAll(generator, parts, call)
  await cancelAll(generator, parts, call)
  throw call.signal.reason
}

/** The earliest that a part's provider names; undefined where none does. */
function pollAfter(parts: Part[]): number | undefined {
  const named = parts
    .map((part) => (part.state === 'open' ? part.poll_after_ms : undefined))
    .filter((ms) => ms !== undefined)
  return named.length > 0 ? Math.min(...named) : undefined
}

const percentOf = (parts: Part[]) => {
  const percents = parts.map((part) => (part.state === 'open' ? (part.percent ?? 0) : 100))
  return percents.reduce((sum, each) => sum + each, 0) / parts.length
}

function together(parts: Part[], made: ({ n: number } & Made)[]): Progress<Pictures> {
  const asked = parts.reduce((sum, { n }) => sum + n, 0)
  const images = made.flatMap(({ output }) => output.images)
  const { answer } = made[0]?.output ?? {}
  const errors = parts
    .filter((part) => part.state === 'failed')
    .map(({ kind, message }) => {
      const failure = failureOf(new ProviderError(kind, message))
      return { code: failure.code, message: failure.message }
    })
  const partial = images.length < asked && { partial: { asked, made: images.length, errors } }
  return done({ images, ...(answer && { answer }), ...partial }, sumOf(made.map(({ usage }) => usage)))
}

/** A poll that fails says nothing about the work, unless it goes on failing while those of the others succeed. */
async function pollAll(generator: ImageGenerator, parts: Part[], call: Call): Promise<Part[]> {
  const missed: unknown[] = []
  const looked = await inTurn(parts, async (part, index): Promise<Part> => {
    if (part.state !== 'open') return part
    try {
      const progress = await pollOne(generator, part.ref, callOf(call, index))
      return withRef(await partOf(part.n, async () => progress), part.ref)
    } catch (error) {
      missed.push(error)
      const misses = (part.misses ?? 0) + 1
      if (misses < MISSES_MAX) return { ...part, misses }
      return failedPart(part.n, error, true)
    }
  })
  const open = parts.filter(({ state }) => state === 'open').length
  if (missed.length > 0 && missed.length === open) throw missed[0]
  return looked
}

function pollOne(generator: ImageGenerator, ref: Json, call: Call): Promise<Progress<ImageOutput>> {
  if (generator.poll) return generator.poll(ref, call)
  throw new Error("A generator that answers 'pending' has no poll.")
}

async function cancel(generator: ImageGenerator, ref: Json, call: Call): Promise<void> {
  const parts = partsIn(ref)
  if (!parts) return generator.cancel?.(ref, call)
  await inTurn(parts, async (part, index) => {
    if (part.state === 'open') await generator.cancel?.(part.ref, callOf(call, index))
  })
}

/** When the request has ended before its `ref` was known to anybody else. */
async function cancelAll(generator: ImageGenerator, parts: Part[], call: Call): Promise<void> {
  const ref = { [PARTS]: parts as unknown as Json }
  await cancel(generator, ref, { ...call, signal: AbortSignal.timeout(CANCEL_MS) }).catch((error: unknown) =>
    call.log.warn({ job: call.job, error }, 'The provider could not be told to stop.'),
  )
}

/** How many calls there were is not known any more: where one of them is found, not all can be told. */
async function find(generator: ImageGenerator, call: Call): Promise<Progress<ImageOutput> | undefined> {
  const single = await generator.find?.(call)
  if (single) return single
  const each = await inTurn(Array.from({ length: CALLS_MAX }), (_, index) => generator.find?.(callOf(call, index)))
  if (each.every((found) => found === undefined)) return undefined
  throw new ProviderError('internal', 'The router was interrupted while it asked for several pictures.')
}

function estimate(generator: ImageGenerator, request: ImageRequest, upstream: string, options: JsonObject): Usage {
  const counts = callsFor(generator, request, upstream, options)
  const one = (n: number): Usage =>
    generator.estimate?.({ ...request, n }, upstream, options) ?? {
      meters: { images: n, requests: 1 },
      source: 'estimated',
    }
  return sumOf(counts.map(one))
}

/** The facts that choose a rate are the same for all: it was the same request. */
function sumOf(usages: Usage[]): Usage {
  const meters: Record<string, number> = {}
  for (const usage of usages) {
    for (const [name, quantity] of Object.entries(usage.meters)) meters[name] = (meters[name] ?? 0) + quantity
  }
  const attributes = Object.assign({}, ...usages.map((usage) => usage.attributes ?? {})) as Record<string, string>
  const source = usages.find((usage) => usage.source !== 'reported')?.source ?? 'reported'
  const raws = usages.map(({ raw }) => (isRecord(raw) ? raw : undefined)).filter((raw) => raw !== undefined)
  const raw = raws.reduce<JsonObject | undefined>(addUsage, undefined)
  return { meters: meters as Meters, attributes, source, ...(raw && raws.length === usages.length && { raw }) }
}
