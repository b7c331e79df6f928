// Retention: outputs go when their time is over, and request files of jobs that ended. Money is never touched.
import { eraseContent } from '../jobs.ts'
import { expireAnswers } from '../kept_answers.ts'
import { expireThreads } from '../media/threads.ts'
import type { Services } from '../services.ts'

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

/** Page by page until nothing is due; what could not be removed keeps nobody else's files, and is tried again later. */
export async function expireOutputs(services: Services): Promise<void> {
  const { store, log } = services
  for (let last: Date | undefined; ; ) {
    const due = await store.jobs
      .find({ expires_at: { $lt: new Date(), ...(last && { $gte: last }) } })
      .sort({ expires_at: 1 })
      .limit(PAGE)
      .toArray()
    let erased = 0
    for (const job of due) {
      try {
        await eraseContent(services, job, {})
        erased++
      } catch (error) {
        log.error({ job: job._id, error }, 'Outputs of a job could not be removed; it is tried again in a minute.')
      }
    }
    last = due.at(-1)?.expires_at
    if (due.length < PAGE || erased === 0) break
  }
  await expireThreads(services, PAGE)
  await expireAnswers(services, PAGE)
}
