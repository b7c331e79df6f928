// The sandbox's chat: streams an answer token by token, at the pace and with the accidents that the prompt orders.
import type { Call, ChatConnection, ChatEvent, ChatRequest } from '../../src/contract.ts'
import { type Answer, type Step, textAnswer, toolAnswer, toolCallsFor, wordsFor } from './answer.ts'
import { readConversation } from './conversation.ts'
import { type FirstTime, obey, readOrders } from './orders.ts'
import { breathe, pause, throwIfCanceled } from './pause.ts'
import { refusal } from './refusal.ts'
import { countMessages, lengthOfMessages } from './tokens.ts'

/** A delay below this is also the time between two deltas, so that slow streams can be tried. */
const SLOWEST_DELTA_MS = 1000
const DELTAS_A_BREATH = 64
/** That many tokens are never more characters but for blanks, of which nobody needs a million. */
const CONTEXT_CHARACTERS = 1_000_000

export function sandboxChat(firstTime: FirstTime): ChatConnection {
  return { stream: (request, call) => answer(request, call, firstTime) }
}

async function* answer(request: ChatRequest, call: Call, firstTime: FirstTime): AsyncGenerator<ChatEvent> {
  if (request.modalities?.includes('audio') === true) {
    throw refusal('modalities', 'it answers in text only')
  }
  if (lengthOfMessages(request.messages) > CONTEXT_CHARACTERS) {
    throw refusal('messages', `they have more than the ${CONTEXT_CHARACTERS} characters that fit into its context`)
  }
  const conversation = readConversation(request.messages)
  const orders = readOrders(conversation.prompt, { param: 'messages', chat: true })
  await obey(orders, call, firstTime)
  const calls = toolCallsFor(request, conversation, orders, call.job)
  const words = await wordsFor(conversation, orders)
  const delta_ms = orders.delay_ms < SLOWEST_DELTA_MS ? orders.delay_ms : 0
  let output_tokens = 0
  for (let choice = 0; choice < (request.choices ?? 1); choice++) {
    const whole = calls.length > 0 ? toolAnswer(calls, choice) : textAnswer(words, choice, orders, request)
    const { steps, finish } = withinLimit(whole, request.max_output_tokens)
    // As a cut connection does: some output, then an end without `finish` and `usage`.
    const written = orders.cut ? steps.slice(0, Math.ceil(steps.length / 2)) : steps
    yield* paced(written, delta_ms, call.signal)
    if (orders.cut) return
    output_tokens += written.reduce((total, step) => total + step.tokens, 0)
    yield { type: 'finish', choice, ...finish }
  }
  if (orders.no_usage) return
  const meters = { input_tokens: countMessages(request.messages), output_tokens }
  yield { type: 'usage', usage: { meters, source: 'reported' } }
}

function withinLimit(answer: Answer, max_output_tokens = Number.POSITIVE_INFINITY): Answer {
  let total = 0
  const end = answer.steps.findIndex((step) => {
    total += step.tokens
    return total > max_output_tokens
  })
  return end === -1 ? answer : { steps: answer.steps.slice(0, end), finish: { reason: 'length' } }
}

async function* paced(steps: Step[], delta_ms: number, signal: AbortSignal): AsyncGenerator<ChatEvent> {
  for (const [index, { event }] of steps.entries()) {
    if (delta_ms > 0 && index > 0) await pause(delta_ms, signal)
    else if (index % DELTAS_A_BREATH === DELTAS_A_BREATH - 1) await breathe(signal)
    throwIfCanceled(signal)
    yield event
  }
}
