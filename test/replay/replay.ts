// One recording against the router: in its own format it comes back as it was, in every other one it says the same. A
// refusal that names its reason is told apart from a failure.
import { type ChatRequest, type JsonObject, type Protocol, ProviderError } from '../../src/contract.ts'
import { frontOf } from '../../src/flow/chat/fronts.ts'
import { readGeminiRequest } from '../../src/protocols/gemini/request.ts'
import { WireError } from '../../src/protocols/wire_error.ts'
import { asksOther } from './asked.ts'
import { answerDiffers, chargesOther, parse, saysOther, sentOther, streamDiffers } from './compare.ts'
import { anthropic } from './formats/anthropic.ts'
import { gemini } from './formats/gemini.ts'
import { openaiChat } from './formats/openai_chat.ts'
import { openaiResponses } from './formats/openai_responses.ts'
import type { Case } from './recorded.ts'
import { eventsOf, type Format, object, type Said, text, type WireEvent } from './said.ts'
import { modelOf, type Site, startSite } from './site.ts'

export const FORMATS: Format[] = [openaiChat, openaiResponses, anthropic, gemini]

export interface Outcome {
  case: Case
  format: Protocol
  mode: 'json' | 'stream'
  result: 'pass' | 'refuse' | 'fail'
  /** Why it was refused, or what differs. */
  reason?: string
}
type Verdict = Pick<Outcome, 'result' | 'reason'>
type Answered = { status: number; text: string }

/** A recording with what it says; nothing if it tells of a failure. */
interface Heard {
  each: Case
  theirs: Format
  said: Said | undefined
}

/** All of them against one router; the stand-ins of different providers answer side by side. */
export async function replayAll(cases: Case[], seed: number): Promise<Outcome[]> {
  const providers = [...new Set(cases.map(({ provider }) => provider))]
  const site = await startSite(providers, seed)
  try {
    const lanes = providers.map(async (provider) => {
      const outcomes: Outcome[] = []
      for (const each of cases) if (each.provider === provider) outcomes.push(...(await replay(site, each)))
      return outcomes
    })
    return (await Promise.all(lanes)).flat()
  } finally {
    await site.close()
  }
}

async function replay(site: Site, each: Case): Promise<Outcome[]> {
  const heard = { each, theirs: formatOf(each.protocol), said: saidBy(each) }
  const outcomes: Outcome[] = []
  for (const format of FORMATS) {
    for (const mode of ['json', 'stream'] as const) {
      const own = format === heard.theirs
      // A stream cannot be had whole from a provider that only streamed; the other way round it can.
      if (own && mode === 'json' && each.streamed) continue
      const recorded = own && (mode === 'stream') === each.streamed
      const run = recorded ? replayOwn : replayOther
      const verdict = await run(site, heard, format, mode).catch((error: unknown) => fail(`thrown: ${String(error)}`))
      outcomes.push({ case: each, format: format.protocol, mode, ...verdict })
    }
  }
  return outcomes
}

const pass: Verdict = { result: 'pass' }
const refuse = (reason: string): Verdict => ({ result: 'refuse', reason })
const fail = (reason: string): Verdict => ({ result: 'fail', reason })
const verdictOn = (difference: string | undefined): Verdict => (difference === undefined ? pass : fail(difference))

function formatOf(protocol: Protocol): Format {
  const format = FORMATS.find((each) => each.protocol === protocol)
  if (!format) throw new Error(`There is no format ${protocol}.`)
  return format
}

function saidBy({ protocol, body, streamed, status }: Case): Said | undefined {
  if (status !== 200) return undefined
  const format = formatOf(protocol)
  if (streamed) {
    const events = eventsOf(body)
    return events.some(isFailure) ? undefined : format.readStream(events)
  }
  const answer = parse(body)
  return answer.error || answer.status === 'failed' ? undefined : format.readAnswer(answer)
}

const isFailure = ({ event, data }: WireEvent): boolean =>
  event === 'error' || (data !== '[DONE]' && (Boolean(data.error) || data.type === 'response.failed'))

/** The recorded request, sent as it was; the answer is the provider's. */
async function replayOwn(
  site: Site,
  { each, theirs, said }: Heard,
  _format: Format,
  mode: Outcome['mode'],
): Promise<Verdict> {
  const model = modelOf(each.provider, each.upstream)
  const { model: _, ...body } =
    each.request ?? theirs.asked(theirs.encode(inventRequest(said), model), model, each.streamed)
  const asked: JsonObject = each.protocol === 'gemini' ? body : { ...body, model }
  const lane = site.lane(each.provider)
  lane.serve(each)
  const answer = await site.ask(theirs.address(model, each.streamed), asked)
  if (!said) return judgeFailure(each, answer)
  if (answer.status !== 200) return judgeRefusal(answer)
  const sent = sentOther(each, asked, lane.asked[0])
  const differs = mode === 'stream' ? streamDiffers : answerDiffers
  return verdictOn(sent ?? differs(theirs, each, answer.text, asked))
}

/** The same request in another format, or streamed instead of whole; the answer says the same in that format. */
async function replayOther(
  site: Site,
  { each, theirs, said }: Heard,
  format: Format,
  mode: Outcome['mode'],
): Promise<Verdict> {
  const model = modelOf(each.provider, each.upstream)
  const own = format === theirs
  let request: ChatRequest | undefined
  let body: JsonObject
  try {
    request = own && each.request ? undefined : canonicalOf(each, said)
    body = request ? format.encode(request, model) : (each.request ?? {})
  } catch (error) {
    if (error instanceof WireError) return refuse(`only in ${theirs.protocol}: ${reasonIn(error.message)}`)
    if (error instanceof ProviderError) return refuse(`not in ${format.protocol}: ${reasonIn(error.message)}`)
    throw error
  }
  const lane = site.lane(each.provider)
  const whole = said && !each.streamed
  lane.serve(whole ? { ...each, content_type: 'text/event-stream', body: theirs.restream(parse(each.body)) } : each)
  const answer = await site.ask(format.address(model, mode === 'stream'), format.asked(body, model, mode === 'stream'))
  if (!said) return judgeFailure(each, answer)
  if (answer.status !== 200) return judgeRefusal(answer)
  const got = mode === 'stream' ? format.readStream(eventsOf(answer.text)) : format.readAnswer(parse(answer.text))
  const sent =
    request && asksOther(request, readRequest(each.protocol, lane.asked[0] ?? {}, each.upstream), format.protocol)
  return verdictOn(saysOther(said, got, format, own) ?? chargesOther(said, got, answer.text, own) ?? sent)
}

function canonicalOf({ protocol, request, upstream }: Case, said: Said | undefined): ChatRequest {
  if (!request) return inventRequest(said)
  const read = readRequest(protocol, request, upstream)
  return protocol === 'gemini' ? { ...read, messages: atGoogle(read.messages) as ChatRequest['messages'] } : read
}

/** Files of the web are brought here for Google's models; here they stand where Google fetches them itself. */
function atGoogle(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(atGoogle)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  if ('url' in value && 'type' in value && value.type === 'url')
    return { ...value, url: String(value.url).replace(/^https?:\/\/[^/]*/, 'https://storage.googleapis.com') }
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, atGoogle(each)]))
}

/** Google's front takes two spellings at its door; its canonical form is made of the first. */
const readRequest = (protocol: Protocol, body: JsonObject, model: string): ChatRequest =>
  frontOf(protocol).toCanonical(protocol === 'gemini' ? readGeminiRequest({ ...body, model }) : { ...body, model })

/** A request for an answer whose own was not kept: as long as the answer says that it was, for the hold must be enough. */
function inventRequest(said: Said | undefined): ChatRequest {
  const words = 'x'.repeat((said?.tokens?.input ?? 0) + 1)
  const choices = said?.choices.length ?? 1
  return {
    model: 'recorded',
    messages: [{ role: 'user', content: [{ type: 'text', text: words }] }],
    max_output_tokens: Math.max(4096, 2 * (said?.tokens?.output ?? 0)),
    ...(choices > 1 && { choices }),
  }
}

/** A 400 says which field it is, or in words what the provider cannot do. */
function judgeRefusal({ status, text: body }: Answered): Verdict {
  const error = object(parse(body).error)
  const named = error.param || /"field(?:Violations)?"|'[^']+'/.test(body)
  return status === 400 && named ? refuse(reasonIn(text(error.message))) : fail(`${status} ${body.slice(0, 300)}`)
}

const STATUSES: Record<number, number[]> = { 400: [400], 404: [502], 429: [429], 500: [502], 200: [200, 400, 502] }

/** What failed there fails here too: with the status of its kind, or as an event of the stream. */
function judgeFailure(each: Case, { status, text: body }: Answered): Verdict {
  const told = /"error"/.test(body)
  if (told && (STATUSES[each.status] ?? [502]).includes(status)) return pass
  return fail(`a failure (${each.status}) came as ${status}: ${body.slice(0, 300)}`)
}

/** Reasons that differ in a place or an id only are one. */
const reasonIn = (message: string): string =>
  message
    .replace(/\[\d+\]/g, '[]')
    .replace(/'(?:call|resp)_[^']*'/g, "'…'")
    .slice(0, 160)
