// Selling prices of one account, through a whole router: what its callers are shown, held and charged, and nobody else.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call } from '../support/api.ts'
import { clientOf, costOf, get, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

const folder = mkdtempSync(join(tmpdir(), 'sw-prices-'))
let router: TestRouter
let user_id: string
beforeAll(async () => {
  writeFileSync(join(folder, 'site.toml'), 'margin = "0.50"\n\n[operations.image]\nmargin = "1"\n')
  router = await testRouter({ PRICING_DIR: folder })
  const key = await get(router, '/key')
  user_id = ((await key.json()) as { user_id: string }).user_id
})
afterAll(async () => {
  await router.close()
  rmSync(folder, { recursive: true })
})

interface OwnPrice {
  id: string
  discount: string | null
  margin: string | null
}
const admin = <Body = Record<string, never>>(method: string, path: string, body?: object) =>
  call<Body>(router, method, `/api/v1/users/${user_id}/prices${path}`, body, { key: router.admin_key })

const image = { model: 'sandbox/image', prompt: 'A cat', n: 1 }
const paint = () => costOf(router, () => clientOf(router).images.generate(image))

async function shown(): Promise<string[]> {
  const model = (await (await get(router, '/models/sandbox/image')).json()) as {
    prices: { rates: { usd: string }[] }[]
  }
  return [...new Set(model.prices.flatMap(({ rates }) => rates.map(({ usd }) => usd)))]
}
async function estimated(): Promise<string> {
  const answer = await post(router, '/estimate', { operation: 'image', ...image })
  return ((await answer.json()) as { hold_usd: string }).hold_usd
}

describe('an account’s own price', () => {
  it('replaces the site’s for models, estimates and charges at once; taken away the site’s stands again', async () => {
    expect([await shown(), await estimated(), await paint()]).toEqual([['0.02'], '0.020000000', '0.020000000'])
    const made = await admin<OwnPrice>('POST', '', { operation: 'image', discount: '0.25' })
    expect(made).toMatchObject({ status: 201, body: { operation: 'image', discount: '0.25', model: null } })
    expect([await shown(), await estimated(), await paint()]).toEqual([['0.0075'], '0.007500000', '0.007500000'])
    const own = await admin<OwnPrice>('POST', '', { model: 'sandbox/image', margin: '0' })
    expect(await paint()).toBe('0.010000000')
    const list = await admin<{ data: OwnPrice[] }>('GET', '')
    expect(list.body.data.map(({ id }) => id)).toEqual([own.body.id, made.body.id])
    for (const { id } of list.body.data) expect((await admin('DELETE', `/${id}`)).status).toBe(200)
    expect(await paint()).toBe('0.020000000')
  })

  it('holds from its day on', async () => {
    const tomorrow = Math.floor(Date.now() / 1000) + 86_400
    const { body } = await admin<OwnPrice>('POST', '', { discount: '1', from: tomorrow })
    expect(await estimated()).toBe('0.020000000')
    await admin('DELETE', `/${body.id}`)
  })

  it('is kept on the job beside the list price', async () => {
    const { body } = await admin<OwnPrice>('POST', '', { model: 'sandbox/*', discount: '0.5' })
    const { response } = await clientOf(router).images.generate(image).withResponse()
    const job = await router.services.store.jobs.findOne({ _id: response.headers.get('x-job-id') ?? '' })
    expect(job).toMatchObject({ cost: 5_000_000n, list_cost: 10_000_000n, loss: 5_000_000n })
    await admin('DELETE', `/${body.id}`)
  })

  it.each([
    ['neither', {}],
    ['both', { discount: '0.1', margin: '0.1' }],
    ['more than everything off', { discount: '1.1' }],
    ['a number', { discount: 0.1 }],
    ['a model and an operation', { discount: '0.1', model: 'sandbox/image', operation: 'image' }],
    ['something else', { discount: '0.1', account_id: 'acc_other' }],
  ])('of %s is refused', async (_name, body) => {
    expect((await admin('POST', '', body)).status).toBe(400)
    expect((await admin<{ data: object[] }>('GET', '')).body.data).toEqual([])
  })

  it('is the admin’s to set: for callers, and for users that there are not, there is no such path', async () => {
    const path = `/api/v1/users/${user_id}/prices`
    expect((await call(router, 'POST', path, { discount: '1' }, { key: router.api_key })).status).toBe(403)
    const nobody = await call(
      router,
      'POST',
      '/api/v1/users/usr_x/prices',
      { discount: '1' },
      { key: router.admin_key },
    )
    expect(nobody.status).toBe(404)
    expect((await admin('DELETE', '/price_x')).status).toBe(404)
  })
})
