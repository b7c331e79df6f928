// Retention: outputs go when their time is over, and request files of jobs that ended. Money is never touched.
import { eraseContent } from './jobs.ts'
import type { Services } from './services.ts'
import { expireThreads } from './threads.ts'

const LOOK_MS = 60_000
const PAGE = 100

export function startRetention(services: Services): { stop(): void } {
  const timer = setInterval(() => {
    expireOutputs(services).catch((error: unknown) =>
      services.log.error({ error }, 'Outputs could not be removed; it is tried again in a minute.'),
    )
  }, LOOK_MS)
  return { stop: () => clearInterval(timer) }
}

export async function expireOutputs(services: Services): Promise<void> {
  const due = await services.store.jobs
    .find({ expires_at: { $lt: new Date() } })
    .limit(PAGE)
    .toArray()
  for (const job of due) await eraseContent(services, job, {})
  await expireThreads(services, PAGE)
}
