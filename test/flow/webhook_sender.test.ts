// The sender of webhooks by a clock of the test's own: when it tries again, when it gives up, and who sends what.
import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { Secrets } from '../../src/flow/account/secrets.ts'
import { newId } from '../../src/flow/ids.ts'
import { announce } from '../../src/flow/webhooks/webhook_outbox.ts'
import { RETRIES_MS, type SenderServices, WebhookSender } from '../../src/flow/webhooks/webhook_sender.ts'
import {
  changeWebhook,
  createWebhook,
  deleteWebhook,
  getAccountSecret,
  rotateWebhook,
} from '../../src/flow/webhooks/webhooks.ts'
import type { Decided } from '../../src/ledger/finish.ts'
import type { JobRecord } from '../../src/store/jobs.ts'
import { type Receiver, receiver } from '../support/receiver.ts'
import { quiet } from '../support/serve.ts'
import { type TestStore, testStore } from '../support/store.ts'

let shared: TestStore
let services: SenderServices
let place: Receiver
let account_id: string
/** The test's clock. */
let now: number
let sender: WebhookSender

const S = 1000
const H = 3_600_000

beforeAll(async () => {
  shared = await testStore()
  const config = readConfig({ WEBHOOK_ALLOWED_HOSTS: '127.0.0.1', PUBLIC_URL: 'https://router.example' }, '/nowhere')
  const secrets = new Secrets([{ id: 'k1', key: randomBytes(32) }])
  services = { store: shared.store, config, secrets, log: quiet }
})
afterAll(() => shared.close())
beforeEach(async () => {
  place = await receiver()
  account_id = newId('acc')
  now = Date.now()
  sender = new WebhookSender(services, () => now)
  await services.store.webhook_deliveries.deleteMany({})
})
afterEach(() => place.close())

const endpoint = (fields = {}) =>
  createWebhook(services, account_id, {
    url: place.url,
    events: ['job.completed', 'job.failed', 'job.canceled', 'job.expired'],
    description: '',
    ...fields,
  })

/** A job that has just ended, as the ledger hands it on. */
async function ended(ending: Decided['ending'] = { status: 'completed' }): Promise<string> {
  const _id = newId('job')
  const decision = { id: 'd', status: ending?.status ?? 'failed', by: 'rtr', at: new Date(now) }
  const empty = {
    offers: [],
    lines: [],
    attempts: [],
    outputs: [],
    metadata: {},
    echo: {},
    hold: 0n,
    cost: null,
    usage: null,
  }
  const job = { _id, account_id, state: 'settled', decision, nonce: 'n', created_at: new Date(now), ...empty }
  await services.store.jobs.insertOne(job as unknown as JobRecord)
  const decided = { job_id: _id, account_id, key_id: 'key', nonce: 'n', hold: 0n, cost: 0n, decided_at: new Date(now) }
  await announce(services.store, [{ ...decided, ...(ending && { ending }) }])
  return _id
}

/** Everything that is due by the clock is tried. */
async function send(): Promise<void> {
  sender.wake()
  await sender.idle()
}

const rows = () => services.store.webhook_deliveries.find({ account_id }).sort({ _id: 1 }).toArray()
const row = async () => (await rows())[0]

describe('a delivery', () => {
  it('carries the job, signed, under an id of job, event and endpoint', async () => {
    const { id, secret } = await endpoint()
    const job = await ended()
    await send()
    const [delivery] = place.received
    expect(delivery?.headers).toMatchObject({
      'webhook-id': `${job}:completed:${id}`,
      'content-type': 'application/json',
      'user-agent': 'Switchyard-Webhooks/1',
    })
    expect(delivery?.headers['webhook-id']).not.toContain('.')
    const payload = new Webhook(secret).verify(delivery?.body ?? '', delivery?.headers as Record<string, string>)
    expect(payload).toMatchObject({
      type: 'job.completed',
      timestamp: new Date(now).toISOString(),
      data: { id: job, object: 'job', status: 'completed' },
    })
    expect(await row()).toMatchObject({
      status: 'delivered',
      tries: 1,
      delivered_at: new Date(now),
      attempts: [{ status: 204, error: null }],
    })
    expect(await row()).not.toHaveProperty('next_at')
  })

  it('goes once to each place, however often its job is announced', async () => {
    await endpoint()
    await endpoint({ url: `${place.url}/two` })
    const job = await ended({ status: 'failed', webhook_url: `${place.url}/three` })
    const decided_at = new Date(now)
    const again = { job_id: job, account_id, key_id: 'key', nonce: 'n', hold: 0n, cost: undefined, decided_at }
    await send()
    for (let crash = 0; crash < 3; crash++)
      await announce(services.store, [{ ...again, ending: { status: 'failed', webhook_url: `${place.url}/three` } }])
    await send()
    expect(place.received.map(({ path }) => path).sort()).toEqual(['/hook', '/hook/three', '/hook/two'])
  })

  it('to the address of a request is signed with the account’s secret', async () => {
    await ended({ status: 'canceled', webhook_url: place.url })
    await send()
    const { secret } = await getAccountSecret(services, account_id)
    const [delivery] = place.received
    expect(new Webhook(secret).verify(delivery?.body ?? '', delivery?.headers as Record<string, string>)).toMatchObject(
      {
        type: 'job.canceled',
      },
    )
  })

  it('goes to those alone who want the event', async () => {
    await endpoint({ events: ['job.failed'] })
    await ended({ status: 'completed' })
    const job = await ended({ status: 'failed' })
    await changeWebhook(services, account_id, (await endpoint()).id, { disabled: true })
    await send()
    expect(place.received.map(({ json }) => json.data.id)).toEqual([job])
  })

  it('carries both signatures for the time of a rotation', async () => {
    const { id, secret } = await endpoint()
    const rotated = await rotateWebhook(services, account_id, id, 24 * H)
    await ended()
    await send()
    const verify = (text: string) =>
      new Webhook(text).verify(place.received.at(-1)?.body ?? '', place.received.at(-1)?.headers as never)
    expect([verify(rotated.secret), verify(secret)]).toHaveLength(2)
    const last = await rotateWebhook(services, account_id, id, 0)
    await ended()
    await send()
    expect(verify(last.secret)).toBeTruthy()
    for (const old of [secret, rotated.secret]) expect(() => verify(old)).toThrow()
  })
})

describe('the schedule', () => {
  it('is that of the standard: ten tries in about 75 hours, then no more', async () => {
    place.answer = (response) => void response.writeHead(500).end()
    await endpoint()
    await ended()
    const began = now
    for (const [index, wait_ms] of RETRIES_MS.entries()) {
      await send()
      expect(place.received).toHaveLength(index + 1)
      const due = (await row())?.next_at?.getTime() ?? 0
      expect(due - now).toBeGreaterThanOrEqual(wait_ms)
      expect(due - now).toBeLessThanOrEqual(wait_ms * 1.1)
      now = due - 1
      await send()
      expect(place.received).toHaveLength(index + 1)
      now = due
    }
    await send()
    expect(place.received).toHaveLength(10)
    expect(new Set(place.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(await row()).toMatchObject({ status: 'failed', tries: 10 })
    expect(await row()).not.toHaveProperty('next_at')
    expect((now - began) / H).toBeGreaterThan(75)
    now += 100 * H
    await send()
    expect(place.received).toHaveLength(10)
  })

  it('ends with the first 2xx', async () => {
    const statuses = [503, 302, 404, 201]
    place.answer = (response) => void response.writeHead(statuses.shift() ?? 500, { location: place.url }).end()
    await endpoint()
    await ended()
    for (let attempt = 0; attempt < 6; attempt++) {
      await send()
      now += 3 * H
    }
    const { attempts, status } = (await row()) ?? {}
    expect([status, attempts?.map((each) => each.status)]).toEqual(['delivered', [503, 302, 404, 201]])
    // A redirect is an answer like any other: what it names is not visited.
    expect(place.received).toHaveLength(4)
  })

  it.each([
    ['seconds', () => '600', 600 * S],
    ['a date', () => new Date(Date.now() + 600 * S).toUTCString(), 598 * S],
    ['more than a day', () => '999999', 24 * H],
  ])('waits as long as the receiver asks, in %s', async (_form, header, least_ms) => {
    place.answer = (response) => void response.writeHead(429, { 'retry-after': header() }).end()
    await endpoint()
    await ended()
    await send()
    const wait_ms = ((await row())?.next_at?.getTime() ?? 0) - now
    expect(wait_ms).toBeGreaterThanOrEqual(least_ms)
    expect(wait_ms).toBeLessThanOrEqual(Math.max(least_ms + 5 * S, 24 * H))
  })

  it('is not shortened by a receiver who asks for less', async () => {
    place.answer = (response) => void response.writeHead(503, { 'retry-after': '0' }).end()
    await endpoint()
    await ended()
    await send()
    expect(((await row())?.next_at?.getTime() ?? 0) - now).toBeGreaterThanOrEqual(5 * S)
  })

  it('goes on when the receiver breaks off or cannot be reached', async () => {
    place.answer = (response) => void response.destroy()
    await endpoint()
    const { id } = await endpoint({ url: 'http://127.0.0.1:9/' })
    await ended()
    await send()
    for (const each of await rows()) {
      expect(each).toMatchObject({ status: 'pending', attempts: [{ status: null }] })
      expect(each.attempts[0]?.error).toMatch(/cannot be reached/)
    }
    expect((await rows()).map(({ endpoint_id }) => endpoint_id)).toContain(id)
  })

  it('takes an answer without end for what its status says', async () => {
    place.answer = (response) => {
      response.writeHead(200)
      const write = () => {
        while (response.write(Buffer.alloc(65_536)));
        response.once('drain', write)
      }
      write()
    }
    await endpoint()
    await ended()
    await send()
    expect(await row()).toMatchObject({ status: 'delivered' })
  })
})

describe('a receiver that wants no more', () => {
  it('says so with 410: the endpoint is disabled, and nothing else is sent there', async () => {
    place.answer = (response) => void response.writeHead(410).end()
    const { id } = await endpoint()
    await ended()
    await send()
    expect(await row()).toMatchObject({ status: 'failed', attempts: [{ status: 410 }] })
    const stored = await services.store.webhook_endpoints.findOne({ _id: id })
    expect(stored).toMatchObject({ disabled: true, disabled_reason: 'gone' })
    await ended()
    await send()
    expect(place.received).toHaveLength(1)
  })

  it('is spared what was still waiting when it was removed or disabled', async () => {
    place.answer = (response) => void response.writeHead(500).end()
    const [one, other] = [await endpoint(), await endpoint()]
    await ended()
    await send()
    await deleteWebhook(services, account_id, one.id)
    await changeWebhook(services, account_id, other.id, { disabled: true })
    now += H
    await send()
    expect(place.received).toHaveLength(2)
    expect((await rows()).map(({ status, attempts }) => [status, attempts.at(-1)?.error]).sort()).toEqual([
      ['failed', 'The webhook is disabled.'],
      ['failed', 'The webhook was removed.'],
    ])
  })
})

describe('many routers', () => {
  it('send each delivery once', async () => {
    await endpoint()
    for (let n = 0; n < 20; n++) await ended()
    const routers = Array.from({ length: 4 }, () => new WebhookSender(services, () => now))
    for (const each of routers) each.wake()
    await Promise.all(routers.map((each) => each.idle()))
    expect(place.received).toHaveLength(20)
    expect((await rows()).every(({ status }) => status === 'delivered')).toBe(true)
  })

  it('take over what one of them had in hand when it died, and its late word changes nothing', async () => {
    await endpoint()
    await ended()
    let release: () => void = () => undefined
    place.answer = (response) => {
      release = () => void response.writeHead(500).end()
    }
    sender.wake()
    await place.until(1)
    place.answer = (response) => void response.writeHead(204).end()
    const other = new WebhookSender(services, () => now)
    other.wake()
    await other.idle()
    expect(place.received).toHaveLength(1)
    now += 61 * S
    other.wake()
    await other.idle()
    expect(place.received).toHaveLength(2)
    release()
    await sender.idle()
    expect(await row()).toMatchObject({ status: 'delivered', attempts: [{ status: 204 }] })
  })

  it('leave to the next what has no answer when they stop, without counting it', async () => {
    await endpoint()
    await ended()
    place.answer = () => undefined
    sender.wake()
    await place.until(1)
    await sender.stop(10)
    expect(await row()).toMatchObject({ status: 'pending', tries: 0, attempts: [], next_at: new Date(now) })
    place.answer = (response) => void response.writeHead(204).end()
    sender = new WebhookSender(services, () => now)
    await send()
    expect(await row()).toMatchObject({ status: 'delivered', tries: 1 })
  })

  it('are not held up by one slow receiver', async () => {
    const slow = await receiver()
    const held: (() => void)[] = []
    slow.answer = (response) => void held.push(() => void response.writeHead(204).end())
    await endpoint({ url: slow.url })
    for (let n = 0; n < 40; n++) await ended()
    account_id = newId('acc')
    await endpoint()
    await ended()
    sender.wake()
    await place.until(1)
    expect(slow.received.length).toBeLessThanOrEqual(4)
    slow.answer = (response) => void response.writeHead(204).end()
    for (const answer of held) answer()
    await sender.idle()
    expect(slow.received).toHaveLength(40)
    await slow.close()
  })
})

describe('the guard', () => {
  it('looks again when something is sent: what the operator no longer allows is not visited', async () => {
    await endpoint()
    await ended({ status: 'completed', webhook_url: 'https://127.0.0.1:8443/hook' })
    const strict = { ...services, config: readConfig({}, '/nowhere') }
    const careful = new WebhookSender(strict, () => now)
    careful.wake()
    await careful.idle()
    expect(place.received).toEqual([])
    expect((await rows()).map(({ attempts }) => attempts[0]?.error).sort()).toEqual([
      'The URL does not lead to a public address.',
      'The address must begin with https://.',
    ])
  })
})
