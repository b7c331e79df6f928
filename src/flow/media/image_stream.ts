// Pictures as a stream of events: unfinished ones as they come, each finished one, the cost with the last. A provider of
// OpenAI's own format is passed through; for the others the events are made here. A caller who leaves changes nothing
// but that the files are kept.
import { type ImageGenerator, type Progress, ProviderError, type Usage, type WireAnswer } from '../../contract.ts'
import { type NanoUsd, shortUsd } from '../../ledger/money.ts'
import { isRecord } from '../../protocols/lenient.ts'
import { withCost } from '../../protocols/openai-chat/usage.ts'
import { imageEvent, imageUsage } from '../../protocols/openai-media/image_answer.ts'
import { ImageTap } from '../../protocols/openai-media/image_tap.ts'
import { attemptOffers } from '../attempts.ts'
import { Pump } from '../chat/pump.ts'
import type { Caller, Services } from '../services.ts'
import { settle } from '../settle.ts'
import { canceled, type Work } from '../work.ts'
import { callsFor, type Pictures } from './fan_out.ts'
import { hold, keepPassed, parseForwarded, usageOf } from './forward_image.ts'
import { completeGeneration, type Generated, type GenerationRun, openGeneration, orRelease } from './generate.ts'
import { generatorOf } from './generators.ts'
import { keepIfLost } from './keep_late.ts'
import { preparedFor } from './prepare.ts'

export interface ImageStreamRun extends GenerationRun<'image'> {
  edit: boolean
  /** Told before the last event goes out. */
  charged(work: Work, cost: NanoUsd): void
}

/** What is thrown before the first event is an ordinary failure; nothing is charged for whatever is thrown. */
export function streamImages(services: Services, caller: Caller, run: ImageStreamRun): AsyncGenerator<Uint8Array> {
  return new Pump().run(async (pump) => {
    const work = await openGeneration(services, caller, run)
    await orRelease(services, work, () => produce(services, work, run, pump))
  })
}

type Begun = { passing: Passing } | { progress: Progress<Pictures> }

/** A provider's stream whose first events have come: from here on no other provider can be tried. */
interface Passing {
  tap: ImageTap
  first: Buffer[]
  rest: AsyncIterator<Uint8Array>
  generator: ImageGenerator
}

async function produce(services: Services, work: Work, run: ImageStreamRun, pump: Pump): Promise<void> {
  const created = Math.floor(Date.now() / 1000)
  const begun = await attemptOffers(services, work, async ({ offer }, call): Promise<Begun> => {
    const generator: ImageGenerator = generatorOf(offer.connection, 'image')
    const request = await preparedFor(offer, 'image', run.request)
    if (generator.forward && callsFor(generator, request, offer.upstream, offer.options).length === 1) {
      const asked = { ...request, extra: { ...request.extra, stream: true } }
      const answer = await generator.forward(asked, call)
      if (answer.headers['content-type']?.startsWith('text/event-stream'))
        return { passing: await open(answer, generator) }
      // Servers that know no streams answer with JSON.
      return { progress: parseForwarded(await hold(answer, generator, request)) }
    }
    const partial: NonNullable<typeof call.partial> = (image, index) => {
      if (image.type !== 'bytes') return
      const b64_json = Buffer.from(image.data).toString('base64')
      pump.push(imageEvent('partial_image', b64_json, { created, request }, { partial_image_index: index }, run.edit))
    }
    return { progress: await generator.start(request, { ...call, partial }) }
  })
  if ('passing' in begun) return passOn(services, work, run, begun.passing, pump)
  const made = await completeGeneration(services, work, run, begun.progress)
  run.charged(work, made.cost)
  for (const event of completedEvents(made, run, created)) pump.push(event)
}

function completedEvents(made: Generated<'image'>, run: ImageStreamRun, created: number): string[] {
  const { files, usage, cost, output } = made
  return files.map(({ data, media_type }, index) => {
    const request = { ...run.request, output_format: media_type.slice('image/'.length) }
    const last = index === files.length - 1
    const facts = { created, request, ...(last && { usage, cost_usd: shortUsd(cost) }) }
    const more = last && output.partial ? { partial: { ...output.partial } } : {}
    return imageEvent('completed', Buffer.from(data).toString('base64'), facts, more, run.edit)
  })
}

/** Up to its first event, which may be a refusal. */
async function open(answer: WireAnswer, generator: ImageGenerator): Promise<Passing> {
  const tap = new ImageTap('The provider')
  const rest = answer.body[Symbol.asyncIterator]()
  for (;;) {
    const next = await rest.next()
    if (next.done) break
    const first = tap.push(next.value)
    if (first.length > 0 || tap.images > 0) return { tap, first, rest, generator }
  }
  const first = tap.end()
  if (first.length === 0 && tap.images === 0)
    throw new ProviderError('bad_response', 'The stream ended before it began.')
  return { tap, first, rest, generator }
}

async function passOn(
  services: Services,
  work: Work,
  run: ImageStreamRun,
  passing: Passing,
  pump: Pump,
): Promise<void> {
  const { tap, first, rest, generator } = passing
  for (const bytes of first) pump.push(bytes)
  for (let next = await rest.next(); !next.done; next = await rest.next()) {
    for (const bytes of tap.push(next.value)) pump.push(bytes)
  }
  for (const bytes of tap.end()) pump.push(bytes)
  if (tap.images === 0) throw new ProviderError('bad_response', 'The stream ended without a picture.')
  const usage = usageOf(generator, tap.usage, { ...run.request, n: tap.images })
  const cost = await chargePassed(services, work, run, tap, usage)
  run.charged(work, cost)
  const cost_usd = shortUsd(cost)
  for (const bytes of tap.last((told) => (isRecord(told) ? withCost(told, cost_usd) : imageUsage(usage, cost_usd)))) {
    pump.push(bytes)
  }
}

/** The pictures are kept for a caller who wants that, has left already, or leaves before the last event has gone. */
async function chargePassed(
  services: Services,
  work: Work,
  run: ImageStreamRun,
  tap: ImageTap,
  usage: Usage,
): Promise<NanoUsd> {
  const made = () => ({ status: 'done' as const, output: { images: tap.parse().map(pictureOf) }, usage })
  if (run.gone.aborted || run.keep_files) return (await completeGeneration(services, work, run, made())).cost
  const cost = await settle(services, work, { usage })
  if (cost === undefined) throw canceled()
  keepIfLost(services, work.job, run.gone, () => keepPassed(services, work, made()))
  return cost
}

const pictureOf = ({ b64_json, output_format }: ReturnType<ImageTap['parse']>[number]) => ({
  image: { type: 'bytes' as const, data: Buffer.from(b64_json, 'base64'), media_type: `image/${output_format}` },
})
