// What differs between a recording and what the router made of it, in words; undefined where nothing does.
import { isDeepStrictEqual } from 'node:util'
import type { JsonObject } from '../../src/contract.ts'
import type { Case } from './recorded.ts'
import { eventsOf, type Format, type Said, type WireEvent } from './said.ts'
import { costOf } from './site.ts'

/** Some servers write -0, which JSON does not keep. */
export const parse = (json: string): JsonObject => JSON.parse(json, (_, value) => (value === 0 ? 0 : value))
export const same = (one: unknown, other: unknown) => isDeepStrictEqual(one, other)

export function difference(theirs: unknown, ours: unknown): string {
  const [one = '', other = ''] = [theirs, ours].map((value) =>
    typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing'),
  )
  let at = 0
  while (at < one.length && one[at] === other[at]) at++
  const from = Math.max(0, at - 40)
  return `at ${at}: expected …${one.slice(from, at + 80)}… and got …${other.slice(from, at + 80)}…`
}

/** A whole answer that passed through: the provider's own but for the cost. */
export function answerDiffers({ plain }: Format, { body }: Case, got: string, asked: JsonObject): string | undefined {
  const [theirs, ours] = [parse(body), parse(got)]
  for (const name of ['usage', 'usageMetadata']) {
    if (theirs[name]) continue
    delete theirs[name]
    delete ours[name]
  }
  const [one, other] = [plain(theirs, asked), plain(ours, asked)]
  return same(one, other) ? undefined : `the answer differs: ${difference(one, other)}`
}

/** A stream that passed through: the provider's own events but for the cost, and OpenAI's chat always has its end marker. */
export function streamDiffers(
  { plain, protocol }: Format,
  { body }: Case,
  got: string,
  asked: JsonObject,
): string | undefined {
  const chat = protocol === 'openai-chat'
  const plained = (stream: string) =>
    eventsOf(stream).flatMap((whole): WireEvent[] => {
      if (whole.data === '[DONE]') return chat ? [whole] : []
      const data = plain(parse(JSON.stringify(whole.data)), asked)
      return data ? [{ ...whole, data }] : []
    })
  const theirs = plained(body)
  if (chat && theirs.at(-1)?.data !== '[DONE]') theirs.push({ data: '[DONE]' })
  // Where the provider tells its usage elsewhere than in a chunk of its own, a caller who asked for one gets ours.
  const told = /"usage": ?\{/.test(body)
  // Anthropic's usage has an event of its own, also where the first event of a recording said it all.
  const ended = protocol !== 'anthropic-messages' || body.includes('message_delta')
  const ours = plained(got).filter(
    ({ data }) => data === '[DONE]' || ((told || !isUsageAlone(data)) && (ended || data.type !== 'message_delta')),
  )
  const at = theirs.findIndex((event, index) => !same(event, ours[index]))
  if (at < 0 && theirs.length === ours.length) return undefined
  const place = at < 0 ? theirs.length : at
  return `event ${place} of ${theirs.length} (${ours.length} came) differs: ${difference(theirs[place], ours[place])}`
}

const isUsageAlone = ({ choices, usage }: JsonObject) =>
  Array.isArray(choices) && choices.length === 0 && Boolean(usage)

/** What the router sees to itself, or sets where the caller did not. */
const OURS = [
  ...['model', 'stream', 'stream_options', 'max_tokens', 'max_completion_tokens', 'max_output_tokens'],
  ...['background', 'previous_response_id', 'generation_config'],
]

/** A request of the same format reaches the provider as it came. */
export function sentOther(each: Case, asked: JsonObject, sent: JsonObject | undefined): string | undefined {
  if (!sent) return 'the provider was never asked'
  // Anthropic's clients send dated names of models that are priced without; the items of an earlier response are put in.
  const upstream = each.upstream.replace(/(claude-[a-z0-9-]+)-20\d{6}$/, '$1')
  if (each.protocol !== 'gemini' && sent.model !== upstream) return `the provider was asked for ${String(sent.model)}`
  if (asked.previous_response_id || each.protocol === 'gemini') return undefined
  const strip = (body: JsonObject) => Object.fromEntries(Object.entries(body).filter(([name]) => !OURS.includes(name)))
  const [one, other] = [strip(asked), strip(sent)]
  return same(one, other) ? undefined : `the provider was sent another body: ${difference(one, other)}`
}

/** What passed through ends in the provider's own words. */
export function saysOther(said: Said, got: Said, format: Format, own = false): string | undefined {
  if (said.choices.length !== got.choices.length && said.choices.some((choice) => choice.finish))
    return `${got.choices.length} choices instead of ${said.choices.length}`
  for (const [index, theirs] of said.choices.entries()) {
    const ours = got.choices[index]
    if (!ours) continue
    if (ours.text !== theirs.text) return `text: ${difference(theirs.text, ours.text)}`
    if (flat(ours.reasoning) !== flat(theirs.reasoning))
      return `reasoning: ${difference(theirs.reasoning, ours.reasoning)}`
    if (!same(ours.calls, theirs.calls)) return `calls: ${difference(theirs.calls, ours.calls)}`
    if (ours.images !== theirs.images) return `${ours.images} images instead of ${theirs.images}`
    const finish = theirs.finish && !own ? format.finish(theirs.finish, theirs.calls.length > 0) : theirs.finish
    if (finish && ours.finish !== finish) return `finish ${ours.finish} instead of ${finish}`
  }
  return undefined
}

/** Parts of a thought are paragraphs in some formats and one text in others. */
export const flat = (words: string) => words.replace(/\s+/g, '')

/**
 * The usage that the caller sees, and the cost, which weighs every kind of token. An answer without output is free; what
 * the provider's own tools left in it is output to a caller of the same format alone.
 */
export function chargesOther(said: Said, got: Said, body: string, own: boolean): string | undefined {
  if (!said.tokens) return undefined
  for (const name of ['input', 'cached', 'output'] as const) {
    const [theirs, ours] = [said.tokens[name], got.tokens?.[name]]
    if (ours !== theirs) return `${name} tokens: ${ours} instead of ${theirs}`
  }
  const cost = Math.round(Number(/"cost":\s*([\d.e-]+)/.exec(body.slice(body.lastIndexOf('"cost"')))?.[1]) * 1e9)
  const anything = said.choices.some(
    ({ text, reasoning, calls, images }) => text || reasoning || calls.length || images,
  )
  const expected = anything ? costOf(said.tokens) : 0
  return cost === expected || (own && !anything && cost === costOf(said.tokens))
    ? undefined
    : `cost ${cost} instead of ${expected} nano-USD`
}
