// The callers of the scale run: they submit films at whichever router answers and note what they were told. An answer
// that is lost is no fault; what becomes of its job is.
import { setTimeout as pause } from 'node:timers/promises'
import type { Victim } from '../torture/victim.ts'
import { SECONDS } from './adapter.ts'
import { VENDORS } from './vendors.ts'

export interface Submitted {
  /** Job ids that callers were given. */
  accepted: string[]
  lost: number
  refused: string[]
}

/** One after the other goes to the next vendor, the next account and the next router. */
export async function submitFilms(
  routers: readonly Victim[],
  keys: readonly string[],
  films: number,
  { at_once, per_second }: { at_once: number; per_second: number },
  onSubmitted: (count: number) => void = () => undefined,
): Promise<Submitted> {
  const submitted: Submitted = { accepted: [], lost: 0, refused: [] }
  const began_ms = performance.now()
  let next = 0
  const caller = async () => {
    while (next < films) {
      const index = next++
      const wait_ms = began_ms + (index / per_second) * 1000 - performance.now()
      if (wait_ms > 0) await pause(wait_ms)
      await submitOne(routers, keys[index % keys.length] ?? '', index, submitted)
      onSubmitted(index + 1)
    }
  }
  await Promise.all(Array.from({ length: at_once }, caller))
  return submitted
}

async function submitOne(routers: readonly Victim[], key: string, index: number, submitted: Submitted): Promise<void> {
  const vendor = VENDORS[index % VENDORS.length]
  const body = JSON.stringify({ model: `${vendor?.id}/film`, prompt: `film ${index}`, seconds: String(SECONDS) })
  for (let attempt = 0; ; attempt++) {
    const router = routers[(Math.floor(index / VENDORS.length) + attempt) % routers.length]
    if (!router?.url) {
      await pause(20)
      continue
    }
    try {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
      const answer = await fetch(`${router.url}/v1/videos`, { method: 'POST', headers, body })
      const text = await answer.text()
      if (answer.ok) submitted.accepted.push((JSON.parse(text) as { id: string }).id)
      else if (answer.status === 503) submitted.lost++
      else submitted.refused.push(`${answer.status} ${text.slice(0, 300)}`)
      return
    } catch (error) {
      // Nobody listens: it was not sent. Cut in the middle, it may have been taken.
      if ((error as { cause?: { code?: string } }).cause?.code === 'ECONNREFUSED') continue
      submitted.lost++
      return
    }
  }
}
