// Runway's tasks: submitted, polled, canceled; and what its codes mean.
import { z } from 'zod'
import {
  type Call,
  done,
  type ErrorKind,
  failed,
  type Json,
  type JsonObject,
  type Progress,
  pending,
  type Usage,
} from '../../src/contract.ts'
import { unreadable } from '../../src/protocols/faults.ts'
import { ask, type Refusal, refused, type TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { keepUsage, keptUsage } from '../../src/protocols/media-tasks/kept.ts'

/** Consumers should not look more often than every five seconds (SDK, `tasks.retrieve`). */
const POLL_AFTER_MS = 5000
const Task = z.looseObject({
  id: z.string().min(1),
  /** Absent in the answer to a submission. */
  status: z.string().default('PENDING'),
  progress: z.number().min(0).max(1).nullish(),
  output: z.array(z.string()).nullish(),
  failure: z.string().nullish(),
  failureCode: z.string().nullish(),
})
const Ref = z.looseObject({ id: z.string() })

/** SAFETY.INPUT.TEXT, INPUT_PREPROCESSING.SAFETY.TEXT, ASSET.INVALID, INTERNAL.BAD_OUTPUT.CODE01, … (errors/task-failures) */
function kindOf(code: string | null | undefined): ErrorKind {
  if (/SAFETY|MODERATION/.test(code ?? '')) return 'content_policy'
  return /^(?:ASSET|INPUT_PREPROCESSING\.(?!INTERNAL))/.test(code ?? '') ? 'invalid_request' : 'unavailable'
}

/** Out of credits is a 400 like any other: `You do not have enough credits to run this task.` */
export const refusal = ({ error }: Record<string, unknown>): Refusal | undefined =>
  typeof error === 'string' && /not have enough credits/i.test(error) ? { kind: 'quota', message: error } : undefined

export function tasks<Output>(server: TaskServer, finish: (urls: string[]) => Output) {
  async function look(call: Call, method: 'GET' | 'POST', path: string, kept: JsonObject, body?: JsonObject) {
    const task = await ask(server, call, { method, path, ...(body && { body }) }, Task)
    const ref = { ...kept, id: task.id }
    switch (task.status) {
      case 'SUCCEEDED': {
        if (!task.output?.length) throw unreadable(server.provider)
        return done(finish(task.output), keptUsage(kept.usage))
      }
      case 'FAILED':
        return failed(refused({ kind: kindOf(task.failureCode), message: task.failure ?? undefined }, server.provider))
      case 'CANCELLED':
        return failed(refused({ kind: 'unavailable' }, server.provider))
      default:
        return pending(ref, task.progress ? task.progress * 100 : undefined, POLL_AFTER_MS)
    }
  }
  const pathOf = (ref: Json) => `/v1/tasks/${encodeURIComponent(Ref.parse(ref).id)}`
  return {
    submit: (path: string, body: JsonObject, usage: Usage, call: Call): Promise<Progress<Output>> =>
      look(call, 'POST', path, { usage: keepUsage(usage) }, body),
    poll: (ref: Json, call: Call): Promise<Progress<Output>> =>
      look(call, 'GET', pathOf(ref), Ref.parse(ref) as JsonObject),
    async cancel(ref: Json, call: Call): Promise<void> {
      await ask(server, call, { method: 'DELETE', path: pathOf(ref) }, z.unknown())
    },
  }
}
