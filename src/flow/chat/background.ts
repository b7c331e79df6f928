// A response in the background, written as a stream so that its readers see it grow: told in its router's event log as it
// comes, kept and charged when it is whole. It knows nothing of who reads.
import { ProviderError } from '../../contract.ts'
import { BackgroundEvents } from '../../protocols/openai-responses/replay.ts'
import { attemptOffers, reasonOf } from '../attempts.ts'
import { storeJson } from '../media/outputs.ts'
import type { Services } from '../services.ts'
import { settle } from '../settle.ts'
import { canceled, type Work } from '../work.ts'
import { offered } from './chat.ts'
import { type Chat, openStream } from './chat_stream.ts'
import { chargeable, countedUsage } from './counted.ts'
import { EventLog } from './event_log.ts'
import { keepEvents } from './response_store.ts'

/** Created, queued and in progress are told by whoever reads. */
const FIRST_EVENT = 3

/** Whether nobody waits for this chat, and somebody may want to see it grow. */
export const isBackground = ({ job }: Work): boolean => job.endpoint === 'responses' && job.echo.background === true

/** Throws what ended the work; nothing is charged then. */
export async function streamInBackground(services: Services, work: Work, chat: Chat): Promise<void> {
  const events = new EventLog()
  work.events = events
  try {
    await write(services, work, chat, events)
  } finally {
    events.end()
  }
}

async function write(services: Services, work: Work, chat: Chat, events: EventLog): Promise<void> {
  const streamed = { ...chat, body: { ...chat.body, stream: true } }
  const stream = await attemptOffers(services, work, (admitted, call) =>
    openStream(admitted, offered(streamed, admitted), call),
  )
  const numbered = new BackgroundEvents(FIRST_EVENT)
  for await (const chunk of stream.chunks) events.push(numbered.push(chunk))
  const end = stream.finish()
  work.abort.signal.throwIfAborted()
  const answer = stream.answer?.()
  if (end.error || !end.complete || !answer) {
    throw end.error ?? new ProviderError('bad_response', 'The stream ended without its end.')
  }
  const usage = chargeable(end, work)
  const json = chat.front.encodeAnswer(answer, usage ?? end.usage ?? countedUsage(work, 0))
  const [output] = await Promise.all([storeJson(services, work.job, json), keepEvents(services, work.job)])
  const cost = await settle(services, work, { usage, outputs: [output] })
  if (cost === undefined) throw reasonOf(work, canceled())
}
