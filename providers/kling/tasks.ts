// Kling's tasks: submitted under our own id, polled, found again by it; and what its codes mean. It makes nothing of what a
// finished task holds: that is the operation's.
import { z } from 'zod'
import {
  type Asset,
  type Call,
  type ErrorKind,
  failed,
  type Json,
  type JsonObject,
  type Progress,
  ProviderError,
  pending,
} from '../../src/contract.ts'
import { base64Of } from '../../src/protocols/address.ts'
import { ask, type Refusal, refused, type TaskServer } from '../../src/protocols/media-tasks/client.ts'

const POLL_AFTER_MS = 5000

const Answer = z.looseObject({
  data: z.looseObject({
    task_id: z.string().min(1),
    task_status: z.string(),
    task_status_msg: z.string().nullish(),
    task_result: z
      .looseObject({
        videos: z
          .array(z.looseObject({ url: z.string(), duration: z.union([z.string(), z.number()]).nullish() }))
          .nullish(),
        images: z.array(z.looseObject({ url: z.string() })).nullish(),
      })
      .nullish(),
  }),
})
type Task = z.infer<typeof Answer>['data']

const Ref = z.looseObject({ id: z.string(), path: z.string() })

/** Its own codes, which come with HTTP's (apiReference/commonInfo, 2026-11-21). */
const CODES: Record<number, ErrorKind> = {
  1000: 'authentication',
  1001: 'authentication',
  1002: 'authentication',
  1003: 'authentication',
  1004: 'authentication',
  1100: 'permission',
  1101: 'quota',
  1102: 'quota',
  1103: 'permission',
  1200: 'invalid_request',
  1201: 'invalid_request',
  1202: 'invalid_request',
  1203: 'not_found',
  1300: 'content_policy',
  1301: 'content_policy',
  1302: 'rate_limit',
  1303: 'rate_limit',
  1304: 'permission',
  5000: 'unavailable',
  5001: 'overloaded',
  5002: 'timeout',
}

export function refusal({ code, message }: Record<string, unknown>): Refusal | undefined {
  if (typeof code !== 'number' || code === 0) return undefined
  const words = typeof message === 'string' ? message : undefined
  return { kind: CODES[code] ?? 'unavailable', message: words }
}

/** Failed work has no code, only words. */
const kindOf = (words: string | null | undefined): ErrorKind =>
  /risk|sensitive|polic|moderat|violat|prohibit/i.test(words ?? '') ? 'content_policy' : 'unavailable'

export type Result = NonNullable<Task['task_result']>

export function tasks<Output>(
  server: TaskServer,
  paths: readonly string[],
  finish: (result: Result, kept: JsonObject) => Progress<Output>,
) {
  function read({ task_id, task_status, task_status_msg, task_result }: Task, kept: JsonObject): Progress<Output> {
    if (task_status === 'succeed') return finish(task_result ?? {}, kept)
    if (task_status !== 'failed') return pending({ ...kept, id: task_id }, undefined, POLL_AFTER_MS)
    return failed(refused({ kind: kindOf(task_status_msg), message: task_status_msg ?? undefined }, server.provider))
  }
  const look = async (path: string, id: string, kept: JsonObject, call: Call) => {
    const { data } = await ask(server, call, { method: 'GET', path: `${path}/${encodeURIComponent(id)}` }, Answer)
    return read(data, kept)
  }
  return {
    async submit(path: string, body: JsonObject, usage: JsonObject, call: Call): Promise<Progress<Output>> {
      const named = { ...body, external_task_id: call.job }
      const { data } = await ask(server, call, { method: 'POST', path, body: named }, Answer)
      return read(data, { path, usage })
    },
    poll(ref: Json, call: Call): Promise<Progress<Output>> {
      const { id, path, ...kept } = Ref.parse(ref)
      return look(path, id, { ...kept, path } as JsonObject, call)
    },
    /** A task is found by our own id as well as by Kling's; which of its paths took it, nobody remembers. */
    async find(usage: JsonObject, call: Call): Promise<Progress<Output> | undefined> {
      for (const path of paths) {
        try {
          return await look(path, call.job, { path, usage }, call)
        } catch (error) {
          if (!(error instanceof ProviderError) || error.kind !== 'not_found') throw error
        }
      }
      return undefined
    },
  }
}

export const dataOf = (asset: Asset): string => (asset.type === 'url' ? asset.url : base64Of(asset.data))
