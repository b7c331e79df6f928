// The queues in which asynchronous jobs wait for a worker: one for each provider and kind of work, so that a router
// takes of each only what it has room for. A queue is a name on the job; it holds nothing itself.

/**
 * work: whatever takes long (submissions, chats, pictures made while we wait, downloads); poll: a short look at work
 * under way; late: a look at work that was given up, whose end is only noted.
 */
export type QueueKind = 'work' | 'poll' | 'late'

export interface Queue {
  kind: QueueKind
  provider: string
}

export const queueName = (kind: QueueKind, provider: string): string => `${kind}:${provider}`

/** Jobs of before there were queues have none: they are taken as work, which may turn out to be a look. */
export function readQueue(name: string): Queue {
  const colon = name.indexOf(':')
  const kind = name.slice(0, Math.max(0, colon))
  return { kind: kind === 'poll' || kind === 'late' ? kind : 'work', provider: name.slice(colon + 1) }
}
