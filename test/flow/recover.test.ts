// A store that falls silent in the middle of a call: whatever it did with the last write, the job comes to its end by
// itself, no hold stays, and what was answered as a failure before the decision costs nothing.
import mongoose from 'mongoose'
import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/store/connect.ts'
import { behindLine, type Fate } from '../ledger/books.ts'
import { type Caller, chatBody, ended, eventually, recordOf, Site } from './site.ts'

const respond_async = { headers: { prefer: 'respond-async' } }

interface Silence {
  end(): void
}

/**
 * From the first write that matches, that write meets the fate and everything after it is lost: writes, and reads of
 * accounts and jobs.
 */
function silence(site: Site, begins: (name: string, command: Record<string, unknown>) => boolean, fate: Fate): Silence {
  const { store } = site.services
  const real: Partial<Store> = { ...store }
  let silent = false
  let first = true
  const line = behindLine(
    { ...store },
    () => {
      if (!silent) return 'arrives'
      if (!first) return 'lost before'
      first = false
      return fate
    },
    (name, given) => {
      silent ||= begins(name, given[0] as Record<string, unknown>)
    },
  )
  const deaf = <Target extends object>(collection: Target): Target =>
    new Proxy(collection, {
      get(of, member) {
        if (silent && ['find', 'findOne', 'findOneAndUpdate', 'countDocuments'].includes(String(member)))
          throw new mongoose.mongo.MongoNetworkError('the line is cut')
        const value: unknown = Reflect.get(of, member, of)
        return typeof value === 'function' ? value.bind(of) : value
      },
    })
  Object.assign(store, line.store, { accounts: deaf(line.store.accounts), jobs: deaf(line.store.jobs) })
  return { end: () => void Object.assign(store, real) }
}

const updates = (collection: string) => (name: string, command: Record<string, unknown>) =>
  name === 'database.command' && command.update === collection

async function withSite(act: (site: Site, caller: Caller) => Promise<void>): Promise<void> {
  const site = await Site.open({ timings: { beat_ms: 200 } })
  try {
    await act(site, await site.caller('0.1'))
  } finally {
    await site.close()
  }
}

async function expectQuiet(site: Site, caller: Caller, settled_usd: string): Promise<void> {
  const still = { held_usd: '0.000000000', settled_usd }
  await eventually(
    () => caller.credits(),
    ({ held_usd }) => held_usd === '0.000000000',
  )
  expect(await caller.credits()).toMatchObject(still)
  expect(await site.verify()).toMatchObject({ ok: true, pending: 0 })
  expect(site.services.works.size).toBe(0)
}

describe.concurrent('a store that falls silent', { timeout: 60_000 }, () => {
  it.each<[string, Fate]>([
    ['carries it out', 'lost after'],
    ['never sees it', 'lost before'],
  ])('at the hold, and %s: the call is refused, and its job is released within moments', async (_what, fate) => {
    await withSite(async (site, caller) => {
      const cut = silence(site, updates('accounts'), fate)
      const answer = await caller.chat('Hello')
      expect([answer.status, answer.json.error.code]).toEqual([503, 'store_unavailable'])
      cut.end()
      expect(await caller.jobWhen(answer.job_id, ended, 5000)).toMatchObject({
        status: 'failed',
        billing: { status: 'released' },
      })
      await expectQuiet(site, caller, '0.000000000')
    })
  })

  it.each<[string, Fate]>([
    ['carries it out', 'lost after'],
    ['never sees it', 'lost before'],
  ])('at the decision, and %s: the job and the account agree on the charge', async (_what, fate) => {
    await withSite(async (site, caller) => {
      const decides = (name: string, command: Record<string, unknown>) =>
        updates('jobs')(name, command) &&
        JSON.stringify(command, (_, v) => (typeof v === 'bigint' ? 0 : v)).includes('settling')
      const cut = silence(site, decides, fate)
      const answer = await caller.chat('Hello')
      expect([answer.status, answer.json.error.code]).toEqual([503, 'store_unavailable'])
      expect(answer.json.error.message).not.toContain('Nothing was charged')
      cut.end()
      const { status, billing } = await caller.jobWhen(answer.job_id, ended, 5000)
      expect(status).toBe(fate === 'lost after' ? 'completed' : 'failed')
      await expectQuiet(site, caller, billing.cost_usd ?? '')
    })
  })

  it('before a queued job could be given to a worker: it is refused, and never worked on', async () => {
    await withSite(async (site, caller) => {
      const queues = (name: string, command: Record<string, unknown>) =>
        updates('jobs')(name, command) && JSON.stringify(command).includes('poll_at')
      const cut = silence(site, queues, 'lost before')
      const answer = await caller.send('/v1/chat/completions', chatBody('Hello'), respond_async)
      expect(answer.status).toBe(503)
      cut.end()
      const [job] = await eventually(
        () => site.services.store.jobs.find({ account_id: caller.account_id }).toArray(),
        (jobs) => jobs[0]?.state === 'released',
        5000,
      )
      expect(job).toMatchObject({ attempts: [], error: { code: 'provider_error' } })
      await expectQuiet(site, caller, '0.000000000')
    })
  })

  it('while a film is made: the film is looked at again when the store is back, and charged once', async () => {
    await withSite(async (site, caller) => {
      const film = { model: 'sandbox/video', prompt: 'a hill', seconds: '4' }
      const { json } = await caller.send('/v1/videos', film)
      await eventually(
        () => recordOf(site, json.id),
        ({ ref }) => ref !== null,
      )
      const cut = silence(site, updates('jobs'), 'lost before')
      await new Promise((resolve) => setTimeout(resolve, 9000))
      cut.end()
      expect(await caller.jobWhen(json.id, ended, 40_000)).toMatchObject({ status: 'completed' })
      await expectQuiet(site, caller, '0.040000000')
    })
  })
})
