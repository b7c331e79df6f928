// Callers and their credit through the whole router: exactly what is paid for runs, and what fails is free.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ERROR_KINDS, type ErrorKind } from '../../src/contract.ts'
import { formatUsd, parseUsd } from '../../src/ledger/money.ts'
import { eventually, recordOf, Site } from './site.ts'

let site: Site
beforeAll(async () => {
  site = await Site.open()
})
afterAll(() => site.close())

const picture = { model: 'sandbox/image', prompt: 'a hill', size: '64x64' }
const nano = (usd: string | null) => parseUsd(usd ?? '') ?? -1n

describe('an account that can pay for 37 pictures', () => {
  it('gets exactly 37 of 100 at once; the others are told what is needed and what there is', {
    timeout: 60_000,
  }, async () => {
    const caller = await site.caller('0.379999999')
    const send = () => caller.send('/v1/images/generations', picture)
    const answers = await Promise.all(Array.from({ length: 100 }, send))
    const made = answers.filter(({ status }) => status === 200)
    const refused = answers.filter(({ status }) => status === 402)
    expect([made.length, refused.length]).toEqual([37, 63])
    expect(new Set(made.map(({ cost_usd }) => cost_usd))).toEqual(new Set(['0.010000000']))
    for (const { json, job_id } of refused) {
      expect(json.error).toMatchObject({ code: 'insufficient_credits' })
      expect(JSON.stringify(json)).toMatch(/0\.010000000.*0\.009999999/)
      expect(job_id).toMatch(/^job_/)
    }
    expect(await caller.credits()).toMatchObject({
      credits_usd: '0.379999999',
      available_usd: '0.009999999',
      held_usd: '0.000000000',
      settled_usd: '0.370000000',
    })
    for (const { job_id } of refused.slice(0, 5))
      expect(await caller.job(job_id)).toMatchObject({
        status: 'failed',
        error: { code: 'insufficient_credits' },
        billing: { status: 'released', cost_usd: '0.000000000' },
      })
    const states = await Promise.all(answers.map(async ({ job_id }) => (await recordOf(site, job_id)).state))
    expect(new Set(states)).toEqual(new Set(['settled', 'released']))
    expect(await site.verify()).toMatchObject({ ok: true, drift: [] })
  })

  it('keeps the limit of its key exactly', async () => {
    const caller = await site.caller('1.00', '0.05')
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => caller.send('/v1/images/generations', { ...picture, n: 2 })),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(2)
    const refused = answers.filter(({ status }) => status === 402)
    expect(refused).toHaveLength(10)
    expect(refused[0]?.json.error.code).toBe('key_budget_exhausted')
    expect(await caller.credits()).toMatchObject({ settled_usd: '0.040000000', held_usd: '0.000000000' })
  })
})

describe('a provider that fails', () => {
  const kinds = Object.keys(ERROR_KINDS) as ErrorKind[]

  it.each(kinds)('as %s costs nothing and is told with its own status, in JSON and as a stream', async (kind) => {
    const caller = await site.caller('0.01')
    const { status, code } = ERROR_KINDS[kind]
    for (const stream of [false, true]) {
      const answer = await caller.chat(`[[fail:${kind}]]`, { stream })
      expect([answer.status, answer.json?.error.code]).toEqual([status, code])
      expect(await caller.job(answer.job_id)).toMatchObject({
        billing: { status: 'released', cost_usd: '0.000000000' },
      })
    }
    expect(await caller.credits()).toMatchObject({ available_usd: '0.010000000', held_usd: '0.000000000' })
  })

  it('and then does not is charged once, for what succeeded', async () => {
    const caller = await site.caller('0.01')
    const answer = await caller.chat('[[fail:overloaded once]] Hello')
    expect(answer.status).toBe(200)
    const job = await caller.job(answer.job_id)
    expect(job.attempts.map(({ outcome }) => outcome)).toEqual(['overloaded', expect.not.stringMatching('overloaded')])
    expect(job.billing).toMatchObject({ status: 'settled', cost_usd: answer.cost_usd })
    expect((await caller.credits()).settled_usd).toBe(answer.cost_usd)
  })
})

describe('an answer', () => {
  it('costs what its usage says, the same in header, body, job, entry and account', async () => {
    const caller = await site.caller('0.01')
    const answer = await caller.chat('Hello [[tokens:41]]')
    const { prompt_tokens, completion_tokens } = answer.json.usage
    expect(completion_tokens).toBe(41)
    const cost = BigInt(prompt_tokens) * 150n + 41n * 600n
    expect(answer.cost_usd).toBe(formatUsd(cost))
    expect(answer.text).toContain(`"cost":${Number(formatUsd(cost))}`)
    const { billing } = await caller.job(answer.job_id)
    expect(billing).toMatchObject({ status: 'settled', cost_usd: formatUsd(cost) })
    const entry = await eventually(
      () => site.services.store.entries.findOne({ _id: `${answer.job_id}:f` }),
      (found) => found !== null,
    )
    expect(entry?.amount).toBe(cost)
    expect((await caller.credits()).settled_usd).toBe(formatUsd(cost))
  })

  it('that ends at its length is charged', async () => {
    const caller = await site.caller('0.01')
    const answer = await caller.chat('[[tokens:500]]', { max_tokens: 30 })
    expect(answer.json.choices[0].finish_reason).toBe('length')
    expect(answer.json.usage.completion_tokens).toBe(30)
    expect(nano(answer.cost_usd)).toBeGreaterThan(0n)
    expect((await caller.credits()).settled_usd).toBe(answer.cost_usd)
  })

  it('without a usage of its provider is counted, and no more than was held', async () => {
    const caller = await site.caller('0.01')
    const answer = await caller.chat('[[no-usage]] [[tokens:50]]')
    expect(answer.status).toBe(200)
    const { usage, billing } = await caller.job(answer.job_id)
    expect(usage?.source).toBe('counted')
    expect(nano(billing.cost_usd)).toBeGreaterThan(0n)
    expect(nano(billing.cost_usd)).toBeLessThanOrEqual(nano(billing.hold_usd))
    expect((await caller.credits()).settled_usd).toBe(billing.cost_usd)
  })

  it('that breaks off costs nothing', async () => {
    const caller = await site.caller('0.01')
    const answer = await caller.chat('[[cut]] [[tokens:50]]')
    expect(answer.status).toBe(502)
    expect(await caller.credits()).toMatchObject({ available_usd: '0.010000000' })
  })

  it('is held for by the larger of two limits', async () => {
    const caller = await site.caller('0.01')
    const answer = await caller.chat('[[tokens:300]]', { max_completion_tokens: 1, max_tokens: 400 })
    const { billing } = await caller.job(answer.job_id)
    expect(nano(billing.hold_usd)).toBeGreaterThanOrEqual(400n * 600n)
    expect(nano(billing.cost_usd)).toBeLessThan(nano(billing.hold_usd))
  })

  it.each<[string, string, object]>([
    ['a picture', '/v1/images/generations', { ...picture, n: 3 }],
    ['a film', '/v1/videos', { model: 'sandbox/video', prompt: 'a hill', seconds: '4' }],
    ['speech', '/v1/audio/speech', { model: 'sandbox/speech', voice: 'alloy', input: 'Hello there' }],
  ])('that is %s costs exactly what was held', async (_what, path, body) => {
    const caller = await site.caller('1')
    const { status, job_id } = await caller.send(path, body)
    expect(status).toBe(200)
    const { billing } = await caller.jobWhen(job_id)
    expect(billing.status).toBe('settled')
    expect(billing.cost_usd).toBe(billing.hold_usd)
  })
})
