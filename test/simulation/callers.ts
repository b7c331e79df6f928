// The callers of the simulation, and whoever disturbs them: they ask for work of all kinds at any router, hang up, cancel,
// deliver webhooks twice, and write down what they were told.
import type { JsonObject } from '../../src/contract.ts'
import { runChatJson, runChatStream } from '../../src/flow/chat/chat.ts'
import { frontOf } from '../../src/flow/chat/fronts.ts'
import { failureOf } from '../../src/flow/failure.ts'
import { cancelJob } from '../../src/flow/jobs.ts'
import { runGeneration } from '../../src/flow/media/generate.ts'
import type { Caller, Services } from '../../src/flow/services.ts'
import type { Sink } from '../../src/flow/sink.ts'
import { submitChat, submitGeneration } from '../../src/flow/worker/submit.ts'
import type { Router } from './router.ts'
import { CHAT, VERDICT } from './vendor.ts'
import type { World } from './world.ts'

/** What a caller was told of a job. Lost: nothing, or not to the end. */
export interface Told {
  job_id: string
  kind: string
  outcome: 'success' | 'failure' | 'queued' | 'lost'
  cost?: bigint
  /** What the failure said. */
  reason?: string
}

type Answer = Omit<Told, 'kind' | 'job_id'>

export interface Crowd {
  world: World
  caller: Caller
  /** Any router that lives, or undefined while none does. */
  router(): Router | undefined
  told: Told[]
  /** Jobs that somebody was given the name of. */
  known: string[]
}

/** What runs in the router's process; the caller hears its end, or that the connection broke. */
function ask<Result>({ world }: Crowd, router: Router, act: () => Promise<Result>): Promise<Result | 'lost'> {
  const answered = new Promise<Result>((resolve, reject) =>
    world.after(world.between(0.1, 3), () => act().then(resolve, reject), router.process),
  )
  return Promise.race([answered, router.process.died.then(() => 'lost' as const)])
}

const KINDS: Record<string, (crowd: Crowd, services: Services, opened: Opened) => Promise<Answer>> = {
  chat: chatJson,
  stream: chatStream,
  'stream, left': (crowd, services, opened) => chatStream(crowd, services, opened, crowd.world.between(0, 500)),
  verdict,
  'chat, queued': queuedChat,
  'verdict, queued': queuedVerdict,
}

type Opened = { request_id: string; opened: (job: { _id: string }) => void }

/** One call, from beginning to end. */
export async function callOnce(crowd: Crowd): Promise<void> {
  const { world, told, known } = crowd
  const kind = world.pick(Object.keys(KINDS))
  const router = crowd.router()
  if (!router) return
  const line: Told = { job_id: '', kind, outcome: 'lost' }
  told.push(line)
  const opened = (job: { _id: string }) => {
    line.job_id = job._id
    known.push(job._id)
    world.note(`${kind} is ${job._id} at ${router.process.name}`)
  }
  try {
    const run = KINDS[kind] as (typeof KINDS)[string]
    const answer = await ask(crowd, router, () => run(crowd, router.services, { request_id: 'req_sim', opened }))
    if (answer !== 'lost') Object.assign(line, answer)
  } catch (error) {
    line.outcome = 'failure'
    line.reason = failureOf(error).message
  }
  world.note(`${kind} ${line.job_id} heard: ${line.outcome} ${line.reason ?? ''} ${line.cost ?? ''}`)
}

function body({ world }: Crowd, stream: boolean): JsonObject {
  const max_tokens = Math.floor(world.between(5, 60))
  return { model: CHAT, max_tokens, stream, messages: [{ role: 'user', content: 'x'.repeat(world.random() * 20) }] }
}

const chatOf = (crowd: Crowd, stream: boolean) => ({ front: frontOf('openai-chat'), body: body(crowd, stream) })
const ofChat = { model: CHAT, endpoint: 'chat.completions' }
const ofVerdict = { endpoint: 'moderations' }
const asked = { model: VERDICT, input: 'x' }

function hangUp({ world }: Crowd, of: number): AbortSignal {
  const gone = new AbortController()
  if (world.chance(of)) world.after(world.between(0, 2000), () => gone.abort())
  return gone.signal
}

async function chatJson(crowd: Crowd, services: Services, opened: Opened): Promise<Answer> {
  const gone = hangUp(crowd, 0.2)
  const run = { ...chatOf(crowd, false), ...ofChat, ...opened, gone }
  const { cost } = await runChatJson(services, crowd.caller, run)
  return { outcome: 'success', cost }
}

async function chatStream(crowd: Crowd, services: Services, opened: Opened, leaves_ms?: number): Promise<Answer> {
  const { world } = crowd
  const run = { ...chatOf(crowd, true), ...ofChat, ...opened, gone: hangUp(crowd, 0.1) }
  const { deliver } = await runChatStream(services, crowd.caller, run)
  let heard = ''
  let gone = false
  if (leaves_ms !== undefined)
    world.after(leaves_ms, () => {
      gone = true
    })
  const sink: Sink = {
    write(bytes) {
      heard += Buffer.from(bytes).toString()
      return world.chance(0.2) ? new Promise((resolve) => setTimeout(resolve, world.between(1, 300))) : undefined
    },
    end: () => undefined,
    get gone() {
      return gone
    },
  }
  const cost = await deliver(sink)
  if (gone) return { outcome: 'lost' }
  if (heard.includes('[DONE]')) return { outcome: 'success', ...(cost !== undefined && { cost }) }
  return { outcome: 'failure', reason: /"message":"([^"]+)"/.exec(heard)?.[1] ?? 'cut' }
}

async function verdict(crowd: Crowd, services: Services, opened: Opened): Promise<Answer> {
  const gone = hangUp(crowd, 0.2)
  const run = { ...ofVerdict, ...opened, operation: 'moderation' as const, request: asked, gone, keep_files: false }
  const { cost } = await runGeneration(services, crowd.caller, run)
  return { outcome: 'success', cost }
}

async function queuedVerdict(crowd: Crowd, services: Services, opened: Opened): Promise<Answer> {
  await submitGeneration(services, crowd.caller, 'moderation', asked, { ...ofVerdict, ...opened })
  return { outcome: 'queued' }
}

async function queuedChat(crowd: Crowd, services: Services, opened: Opened): Promise<Answer> {
  await submitChat(services, crowd.caller, { ...chatOf(crowd, false), ...ofChat }, { ...ofChat, ...opened })
  return { outcome: 'queued' }
}

/** Somebody cancels a job, at any router. */
export async function cancelOne(crowd: Crowd): Promise<void> {
  const { world, known, caller } = crowd
  const router = crowd.router()
  if (!router || known.length === 0) return
  const id = world.pick(known)
  world.note(`cancel ${id} at ${router.process.name}`)
  await ask(crowd, router, () => cancelJob(router.services, caller.account_id, id)).catch(() => undefined)
}

/** A provider's webhook, twice and at different routers. */
export async function hintAtOne(crowd: Crowd): Promise<void> {
  const { world, known } = crowd
  if (known.length === 0) return
  const job_id = world.pick(known)
  const body = Buffer.from(job_id)
  for (const router of [crowd.router(), crowd.router()]) {
    if (!router) return
    const hook = { provider: world.pick(['north', 'south']), job_id, mac: '' }
    await ask(crowd, router, () => router.hooks().take(hook, { headers: {}, body })).catch(() => undefined)
  }
}
