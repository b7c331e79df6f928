// Pictures from a provider of OpenAI's own format, passed through: the answer's bytes go on as they came, with our cost
// put into its usage. They are parsed only for a caller who has left, and then kept as files.
import {
  type Asset,
  type ImageGenerator,
  type ImageOutput,
  type ImageRequest,
  type JsonObject,
  type Progress,
  ProviderError,
  type Usage,
  type WireAnswer,
} from '../../contract.ts'
import { type NanoUsd, shortUsd } from '../../ledger/money.ts'
import { isRecord } from '../../protocols/lenient.ts'
import { withCost } from '../../protocols/openai-chat/usage.ts'
import { imageUsage } from '../../protocols/openai-media/image_answer.ts'
import { HeldAnswer } from '../../protocols/openai-media/scan.ts'
import type { JobOutput } from '../../store/jobs.ts'
import { attemptOffers, endAttempt, reasonOf } from '../attempts.ts'
import type { Caller, Services } from '../services.ts'
import { settle } from '../settle.ts'
import { canceled, type Work } from '../work.ts'
import { callsFor, type Pictures } from './fan_out.ts'
import { completeGeneration, type Generated, type GenerationRun, openGeneration, orRelease } from './generate.ts'
import { generatorOf } from './generators.ts'
import { keepIfLost } from './keep_late.ts'
import { outputText } from './output_text.ts'
import { fetchOutput, filesOf, keepOutputs } from './outputs.ts'
import { preparedFor } from './prepare.ts'

/**
 * An answer is held, by reference, until its end is known: for a picture that is as fast as passing on piece by piece
 * (bench/), and buys the cost in a header, a clean error for what breaks off, and files for a caller who leaves.
 */
const ANSWER_BYTES_MAX = 256 * 2 ** 20

export type ImageResult =
  | ({ kind: 'made' } & Generated<'image'>)
  | { kind: 'passed'; work: Work; cost: NanoUsd; media_type: string; body: Buffer[] }

/** A whole answer that came by `forward`. */
export interface Forwarded {
  held: HeldAnswer
  usage: Usage
}

type DoneImages = Extract<Progress<ImageOutput>, { status: 'done' }>
type Begun = { forwarded: Forwarded } | { progress: Progress<Pictures> }

/** Throws Failure and ProviderError; nothing is charged then. */
export async function runImage(services: Services, caller: Caller, run: GenerationRun<'image'>): Promise<ImageResult> {
  const work = await openGeneration(services, caller, run)
  return orRelease(services, work, async () => {
    const begun = await attemptOffers(services, work, async ({ offer }, call): Promise<Begun> => {
      const generator: ImageGenerator = generatorOf(offer.connection, 'image')
      const request = await preparedFor(offer, 'image', run.request)
      const calls = callsFor(generator, request, offer.upstream, offer.options)
      if (run.keep_files || !generator.forward || calls.length > 1)
        return { progress: await generator.start(request, call) }
      return { forwarded: await hold(await generator.forward(request, call), generator, request) }
    })
    if ('progress' in begun) return { kind: 'made', ...(await completeGeneration(services, work, run, begun.progress)) }
    const { forwarded } = begun
    // Parsed for a caller who has left, and where the provider gave addresses instead of bytes.
    if (!run.gone.aborted && forwarded.held.embedded === forwarded.held.images)
      return pass(services, work, run, forwarded)
    return { kind: 'made', ...(await completeGeneration(services, work, run, parseForwarded(forwarded))) }
  })
}

/** Reads an answer to its end. Throws ProviderError for what is cut, no JSON, or has no picture. */
export async function hold(answer: WireAnswer, generator: ImageGenerator, request: ImageRequest): Promise<Forwarded> {
  const held = new HeldAnswer()
  for await (const chunk of answer.body) {
    held.push(chunk)
    if (held.bytes > ANSWER_BYTES_MAX) throw new ProviderError('bad_response', 'The answer is too long.')
  }
  if (!held.whole) throw new ProviderError('bad_response', 'The answer is cut off, or is not JSON.')
  if (held.images === 0) throw new ProviderError('bad_response', 'The answer has no picture.')
  return { held, usage: usageOf(generator, held.read('usage'), { ...request, n: held.images }) }
}

/** What the provider says it used; without a word from it, the pictures. */
export function usageOf(generator: ImageGenerator, told: unknown, request: ImageRequest): Usage {
  const usage = generator.forwardedUsage?.(isRecord(told) ? (told as JsonObject) : undefined, request)
  return usage ?? { meters: { images: request.n, requests: 1 }, source: 'counted' }
}

async function pass(
  services: Services,
  work: Work,
  { gone }: GenerationRun<'image'>,
  forwarded: Forwarded,
): Promise<ImageResult> {
  const { held, usage } = forwarded
  const last = work.job.attempts.at(-1)
  if (last) endAttempt(last, 'completed')
  const cost = await settle(services, work, { usage })
  if (cost === undefined) throw reasonOf(work, canceled())
  keepIfLost(services, work.job, gone, () => keepPassed(services, work, parseForwarded(forwarded)))
  const told = held.read('usage')
  const shown = isRecord(told) ? withCost(told, shortUsd(cost)) : imageUsage(usage, shortUsd(cost))
  const body = held.with('usage', JSON.stringify(shown))
  return { kind: 'passed', work, cost, media_type: 'application/json; charset=utf-8', body }
}

/** The pictures of an answer that was passed on, for a caller who left before its end. */
export async function keepPassed(services: Services, { job }: Work, made: DoneImages): Promise<JobOutput[]> {
  const { output, usage } = made
  // They are all in the answer: nothing is fetched that could take long.
  const load = (asset: Asset) => fetchOutput(asset, job.echo, new AbortController().signal)
  const files = await Promise.all(filesOf('image', output).map(load))
  return keepOutputs(services, job, files, () => outputText('image', { output, usage, job }))
}

/** The same as if the provider had been asked for pictures and not for its answer. */
export function parseForwarded({ held, usage }: Forwarded): DoneImages {
  const answer = JSON.parse(Buffer.concat(held.chunks).toString()) as JsonObject
  const format = typeof answer.output_format === 'string' ? answer.output_format : 'png'
  const images = (answer.data as JsonObject[]).map(({ b64_json, url, revised_prompt }) => ({
    image:
      typeof b64_json === 'string'
        ? { type: 'bytes' as const, data: Buffer.from(b64_json, 'base64'), media_type: `image/${format}` }
        : { type: 'url' as const, url: String(url) },
    ...(typeof revised_prompt === 'string' && { revised_prompt }),
  }))
  return { status: 'done', output: { images, answer }, usage }
}
