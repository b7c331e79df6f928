// OpenAI's Responses API.
import type { JsonObject } from '../../../src/contract.ts'
import { encodeRequest } from '../../../src/protocols/openai-responses/encode.ts'
import {
  type Choice,
  type Finish,
  type Format,
  frame,
  list,
  newChoice,
  number,
  object,
  parseArguments,
  pieces,
  type Said,
  text,
} from '../said.ts'

export const openaiResponses: Format = {
  protocol: 'openai-responses',
  address: () => '/v1/responses',
  encode: encodeRequest,
  asked: ({ stream: _, ...body }, model, stream) => ({ ...body, model, ...(stream ? { stream: true } : {}) }),

  readAnswer: (answer) => readResponse(answer),

  /** The pieces are what streaming clients read; how it ended and what it took stand in the last event. */
  readStream(events) {
    const choice = newChoice()
    const calls = new Map<number, JsonObject>()
    const thoughts = new Set<number>()
    let last: JsonObject = {}
    for (const { data } of events) {
      if (data === '[DONE]') continue
      const index = number(data.output_index)
      const item = object(data.item)
      const delta = text(data.delta)
      switch (data.type) {
        case 'response.output_text.delta':
        case 'response.refusal.delta':
          choice.text += delta
          break
        case 'response.reasoning_summary_text.delta':
        case 'response.reasoning_text.delta':
          thoughts.add(index)
          choice.reasoning += delta
          break
        case 'response.function_call_arguments.delta':
        case 'response.custom_tool_call_input.delta':
          calls.set(index, { ...object(calls.get(index)), words: text(object(calls.get(index)).words) + delta })
          break
        case 'response.output_item.added':
          if (isCall(item)) calls.set(index, { ...item, words: '' })
          break
        case 'response.output_item.done':
          if (isCall(item)) calls.set(index, { ...item, words: text(item.arguments ?? item.input) })
          if (item.type === 'reasoning' && !thoughts.has(index)) choice.reasoning += thoughtOf(item)
          if (item.type === 'image_generation_call') choice.images++
          break
        case 'response.completed':
        case 'response.incomplete':
          last = object(data.response)
      }
    }
    choice.calls = [...calls]
      .sort(([a], [b]) => a - b)
      .map(([, { name, words }]) => ({ name: text(name), arguments: parseArguments(text(words)) }))
    choice.finish = finishOf(last, choice)
    return { choices: [choice], ...tokensOf(last) }
  },

  restream(answer) {
    const begun = { ...answer, status: 'in_progress', output: [], usage: null }
    const events: JsonObject[] = [
      { type: 'response.created', response: begun },
      { type: 'response.in_progress', response: begun },
      ...list(answer.output).flatMap((item, output_index) => itemEvents(item, output_index)),
      { type: answer.status === 'incomplete' ? 'response.incomplete' : 'response.completed', response: answer },
    ]
    return events.map((event, at) => frame({ ...event, sequence_number: at }, text(event.type))).join('')
  },

  // A refusal in the model's own words is an answer like any other; nothing here is a pause.
  finish: (finish, called) => {
    if (finish === 'length' || finish === 'content_filter') return finish
    return called ? 'tool_calls' : 'stop'
  },

  plain(data) {
    const response = object(data.response ?? data)
    if (typeof response.usage !== 'object' || response.usage === null) return data
    const { cost: _, ...usage } = object(response.usage)
    return data.response ? { ...data, response: { ...response, usage } } : { ...data, usage }
  },
}

const isCall = ({ type }: JsonObject) => type === 'function_call' || type === 'custom_tool_call'

const thoughtOf = ({ summary, content }: JsonObject): string =>
  [...list(summary), ...list(content)].map((part) => text(part.text)).join('')

function readResponse(response: JsonObject): Said {
  const choice = newChoice()
  for (const item of list(response.output)) {
    if (item.type === 'message') {
      choice.text += list(item.content)
        .map((part) => text(part.text) + text(part.refusal))
        .join('')
    }
    if (item.type === 'reasoning') choice.reasoning += thoughtOf(item)
    if (item.type === 'image_generation_call') choice.images++
    if (isCall(item))
      choice.calls.push({ name: text(item.name), arguments: parseArguments(text(item.arguments ?? item.input)) })
  }
  choice.finish = finishOf(response, choice)
  return { choices: [choice], ...tokensOf(response) }
}

function finishOf({ status, incomplete_details }: JsonObject, { calls }: Choice): Finish | undefined {
  if (status === 'incomplete')
    return object(incomplete_details).reason === 'content_filter' ? 'content_filter' : 'length'
  if (status !== 'completed') return undefined
  return calls.length > 0 ? 'tool_calls' : 'stop'
}

function tokensOf(response: JsonObject): Pick<Said, 'tokens'> {
  const usage = object(response.usage)
  if (typeof usage.input_tokens !== 'number') return {}
  const details = object(usage.input_tokens_details)
  const tokens = {
    input: usage.input_tokens,
    cached: number(details.cached_tokens),
    written: number(details.cache_write_tokens),
    written_1h: 0,
    output: number(usage.output_tokens),
  }
  return { tokens }
}

function itemEvents(item: JsonObject, output_index: number): JsonObject[] {
  const at = { item_id: item.id ?? '', output_index }
  const { arguments: words, input, content, summary, ...rest } = item
  const begun = {
    ...rest,
    ...(words === undefined ? {} : { arguments: '' }),
    ...(input === undefined ? {} : { input: '' }),
  }
  const empty = { ...begun, ...(content ? { content: [] } : {}), ...(summary ? { summary: [] } : {}) }
  return [
    { type: 'response.output_item.added', output_index, item: empty },
    ...partEvents(item, at),
    { type: 'response.output_item.done', output_index, item },
  ]
}

function partEvents(item: JsonObject, at: JsonObject): JsonObject[] {
  const deltas = (type: string, words: unknown, place: JsonObject = {}) =>
    pieces(text(words)).map((delta) => ({ type: `response.${type}.delta`, ...at, ...place, delta }))
  if (item.type === 'function_call') return deltas('function_call_arguments', item.arguments)
  if (item.type === 'custom_tool_call') return deltas('custom_tool_call_input', item.input)
  if (item.type === 'message') {
    return list(item.content).flatMap((part, content_index) =>
      part.type === 'refusal'
        ? deltas('refusal', part.refusal, { content_index })
        : [
            ...deltas('output_text', part.text, { content_index }),
            ...list(part.annotations).map((annotation, annotation_index) => ({
              type: 'response.output_text.annotation.added',
              ...at,
              content_index,
              annotation_index,
              annotation,
            })),
          ],
    )
  }
  if (item.type !== 'reasoning') return []
  return [
    ...list(item.summary).flatMap((part, summary_index) => [
      { type: 'response.reasoning_summary_part.added', ...at, summary_index, part: { type: 'summary_text', text: '' } },
      ...deltas('reasoning_summary_text', part.text, { summary_index }),
    ]),
    ...list(item.content).flatMap((part, content_index) => deltas('reasoning_text', part.text, { content_index })),
  ]
}
