// Storms: providers that refuse everybody for a while, an account that everybody spends from at once, and routers that are
// replaced one after the other while callers go on. Nothing is charged that did not succeed, and nobody is failed for it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestStore, testStore } from '../support/store.ts'
import { Caller, chatBody, eventually, Site } from './site.ts'

let site: Site
beforeAll(async () => {
  site = await Site.open()
})
afterAll(() => site.close())

const atRest = (caller: Caller) =>
  eventually(
    () => caller.credits(),
    ({ held_usd }) => held_usd === '0.000000000',
  )
const together = <Result>(times: number, act: (index: number) => Promise<Result>): Promise<Result[]> =>
  Promise.all(Array.from({ length: times }, (_, index) => act(index)))

describe('a provider that refuses everybody', () => {
  it.each([
    ['rate_limit', 2],
    ['overloaded', 2],
    ['unavailable', 1],
  ])('with %s is asked %i times for each call, and nothing is charged', { timeout: 30_000 }, async (kind, tries) => {
    const caller = await site.caller('1')
    const answers = await together(30, () => caller.chat(`[[fail:${kind}]] Hello`))
    expect(new Set(answers.map(({ status }) => status >= 429))).toEqual(new Set([true]))
    const { data } = await caller.json<{ data: { attempts: object[] }[] }>('/v1/jobs?limit=100')
    expect(data).toHaveLength(30)
    expect(new Set(data.map(({ attempts }) => attempts.length))).toEqual(new Set([tries]))
    expect(await atRest(caller)).toMatchObject({ settled_usd: '0.000000000', available_usd: '1.000000000' })
  })

  it('half of the time costs nothing but time where the second try goes through', { timeout: 30_000 }, async () => {
    const caller = await site.caller('1')
    const answers = await together(20, (index) =>
      caller.chat(`${index % 2 ? '[[fail:overloaded once]] ' : ''}[[tokens:5]] Hello`),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    const { data } = await caller.json<{ data: { billing: { status: string } }[] }>('/v1/jobs?limit=100')
    expect(data.every(({ billing }) => billing.status === 'settled')).toBe(true)
  })
})

describe('a hot account', () => {
  it('with credit for exactly half of what is asked serves exactly half, to the nano-dollar', {
    timeout: 30_000,
  }, async () => {
    // A picture is held and charged at a cent.
    const caller = await site.caller('0.2')
    const picture = { model: 'sandbox/image', prompt: 'a hill', size: '64x64' }
    const answers = await together(40, () => caller.send('/v1/images/generations', picture))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(20)
    expect(statuses.filter((status) => status === 402)).toHaveLength(20)
    expect(await atRest(caller)).toMatchObject({ settled_usd: '0.200000000', available_usd: '0.000000000' })
    expect(await site.verify()).toMatchObject({ ok: true })
  })
})

describe('routers that are replaced one after the other', () => {
  let shared: TestStore
  beforeAll(async () => {
    shared = await testStore()
  })
  afterAll(() => shared.close())

  it('fail no caller: streams end where they began, and new calls go to the other one', {
    timeout: 60_000,
  }, async () => {
    const environment = { MONGODB_URI: shared.uri }
    const old = await Site.open({ environment })
    const young = await Site.open({ environment: { ...environment, ADMIN_KEY: old.admin_key } })
    const outcomes: string[] = []
    try {
      const caller = await old.caller('1')
      const here = [caller, new Caller(young, caller.key, caller.account_id)]
      let going = true
      const callers = together(8, async () => {
        while (going) {
          // As a balancer does: whoever takes no connection is passed over.
          for (const router of here) {
            const response = await router
              .request('/v1/chat/completions', chatBody('[[tokens:8]] [[delay:5ms]] Hello', { stream: true }))
              .catch(() => undefined)
            if (!response) continue
            const text = await response.text()
            outcomes.push(response.status === 200 && text.includes('[DONE]') ? 'whole' : `${response.status} ${text}`)
            break
          }
        }
      })
      const enough = (count: number) =>
        eventually(
          async () => outcomes.length,
          (length) => length >= count,
        )
      await enough(20)
      await old.stop(20_000)
      await enough(outcomes.length + 20)
      going = false
      await callers
      expect(new Set(outcomes)).toEqual(new Set(['whole']))
      const left = new Caller(young, caller.key, caller.account_id)
      expect(await atRest(left)).toMatchObject({ held_usd: '0.000000000' })
      expect(await young.verify()).toMatchObject({ ok: true })
    } finally {
      await young.close()
      await old.close()
    }
  })
})
