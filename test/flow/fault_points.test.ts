// A real router that kills itself at each named point of a job's way (FAULT), and what the next one makes of it: nothing
// stays held, and exactly what was decided before the end is charged, once.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Api, type Entry, type Job } from '../../scripts/torture/api.ts'
import { checkRest } from '../../scripts/torture/reckoning.ts'
import { ADMIN_KEY, Victim } from '../../scripts/torture/victim.ts'
import { ConfigError, readConfig } from '../../src/config.ts'
import { eventually } from '../support/client.ts'

type Left = 'nothing' | 'released' | 'settled'

/** What the next router finds: no job, one whose hold goes back, or one whose charge is brought to its end. */
const POINTS: [fault: string, left: Left][] = [
  ['K1', 'nothing'],
  ['K2', 'released'],
  ['K3', 'released'],
  ['K4:3', 'released'],
  ['K5', 'released'],
  ['K6', 'released'],
  ['K7', 'released'],
  ['K8', 'released'],
  ['K9', 'settled'],
  ['K10', 'settled'],
  ['K11', 'settled'],
  ['K12', 'settled'],
]

let data_dir = ''
let victim: Victim
let armed: string | undefined
let key = ''
let user_id = ''

beforeAll(async () => {
  data_dir = await mkdtemp(join(tmpdir(), 'sw-points-'))
  await restart()
  const admin = new Api(victim, ADMIN_KEY)
  user_id = (await admin.json<{ id: string }>('/api/v1/users', { name: 'Points' })).id
  await admin.json(`/api/v1/users/${user_id}/credits`, { amount_usd: '10', reason: 'Points' })
  key = (await admin.json<{ key: string }>('/api/v1/keys', { user_id, name: 'points' })).key
})
afterAll(async () => {
  await victim?.kill()
  await rm(data_dir, { recursive: true, force: true })
})

async function restart(fault?: string): Promise<void> {
  await victim?.kill()
  victim = new Victim(data_dir, fault === undefined ? {} : { FAULT: fault })
  armed = fault
  await victim.start()
}

/** The one that brings this to rest may die of the next point already, where it does not pass that by finishing. */
function nextOf(fault: string): string | undefined {
  const index = POINTS.findIndex(([each]) => each === fault)
  return index < 8 ? POINTS[index + 1]?.[0] : undefined
}

/** A stream, read until it ends or breaks. */
async function stream(): Promise<void> {
  const messages = [{ role: 'user', content: 'Hello [[tokens:20]] [[delay:1ms]]' }]
  const body = { model: 'sandbox/chat', max_tokens: 50, stream: true, messages }
  await new Api(victim, key)
    .fetch('/v1/chat/completions', body)
    .then((response) => response.text())
    .catch(() => 'broken off')
}

async function state(): Promise<{ jobs: Job[]; charged: Entry[] }> {
  const admin = new Api(victim, ADMIN_KEY)
  const jobs = await new Api(victim, key).all<Job>('/v1/jobs')
  const entries = await admin.all<Entry>(`/api/v1/ledger?user_id=${user_id}`)
  return { jobs, charged: entries.filter(({ type }) => type === 'settle') }
}

const comesToRest = () =>
  eventually(async () => {
    const faults = await checkRest(new Api(victim, key), new Api(victim, ADMIN_KEY))
    return faults.length === 0 ? true : undefined
  })

describe('a router that kills itself', () => {
  it.each(POINTS)(
    'at %s leaves a job that is %s, and the next one brings all to rest',
    { timeout: 60_000 },
    async (fault, left) => {
      const before = await state()
      if (armed !== fault) await restart(fault)
      const spared = Number(fault.split(':')[1] ?? 1) - 1
      for (let served = 0; served < spared; served++) await stream()
      await Promise.all([stream(), victim.died])
      await restart(nextOf(fault))
      await comesToRest()
      const { jobs, charged } = await state()
      const statuses = jobs.slice(before.jobs.length).map(({ billing }) => billing.status)
      const served = Array.from({ length: spared }, () => 'settled')
      expect(statuses).toEqual([...served, ...(left === 'nothing' ? [] : [left])])
      expect(charged.length - before.charged.length).toBe(spared + (left === 'settled' ? 1 : 0))
    },
  )
})

describe('FAULT', () => {
  it('is refused in production, and for a point that is not there', () => {
    const production = {
      NODE_ENV: 'production',
      ADMIN_KEY: 'a'.repeat(32),
      ENCRYPTION_KEYS: `k1:${Buffer.alloc(32).toString('base64')}`,
    }
    expect(() => readConfig({ ...production, FAULT: 'K3' }, tmpdir())).toThrow(/FAULT: kills this router on purpose/)
    for (const FAULT of ['K0', 'K13', 'K', 'K7:0', 'k7', 'K7:x'])
      expect(() => readConfig({ FAULT }, tmpdir())).toThrow(ConfigError)
    expect(readConfig({ FAULT: 'K7:3' }, tmpdir()).fault).toEqual({ point: 'K7', spared: 2 })
    expect(readConfig({}, tmpdir()).fault).toBeUndefined()
  })
})
