// A router whose store has gone, or whose data folder was removed under it, still ends when it is told to, in bounded time.
import { rm } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { testStore } from '../support/store.ts'
import { eventually, recordOf, Site } from './site.ts'

const film = { model: 'sandbox/video', prompt: '[[delay:60s]] a hill', seconds: '4' }
/** What is under way is given a few seconds, the store a few more; together less than an orchestrator's patience. */
const END_MS_MAX = 20_000

async function workingSite(environment = {}): Promise<Site> {
  const site = await Site.open({ environment, timings: { beat_ms: 200 } })
  const caller = await site.caller('1')
  const { json } = await caller.send('/v1/videos', film)
  await eventually(
    () => recordOf(site, json.id),
    ({ ref }) => ref !== null,
  )
  void caller.chat('[[delay:60s]] Hello').catch(() => undefined)
  await eventually(
    async () => site.services.works.size,
    (size) => size > 0,
  )
  return site
}

async function stopIn(site: Site): Promise<number> {
  const began_ms = performance.now()
  await site.stop()
  return performance.now() - began_ms
}

describe.concurrent('a router ends', { timeout: 60_000 }, () => {
  it('though its store is gone, with work under way', async () => {
    const store = await testStore()
    const site = await workingSite({ MONGODB_URI: store.uri })
    await store.close()
    // Long enough for rounds of recovery that hear nothing.
    await new Promise((resolve) => setTimeout(resolve, 3000))
    expect(await stopIn(site)).toBeLessThan(END_MS_MAX)
    await rm(site.data_dir, { recursive: true, force: true })
  })

  it('though its data folder was removed', async () => {
    const site = await workingSite()
    await rm(site.data_dir, { recursive: true, force: true })
    expect(await stopIn(site)).toBeLessThan(END_MS_MAX)
  })
})
