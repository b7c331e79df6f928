// One account against another: whatever it names by id of the other's is not there, by any route of the catalog; and what it
// may send to any route of ours holds only what that route takes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CATALOG, type RouteEntry } from '../../src/routes/catalog.ts'
import { Caller, chatBody, Site } from '../flow/site.ts'
import { type Receiver, receiver } from '../support/receiver.ts'

let site: Site
let place: Receiver
let admin: Caller
let owner: Caller
let stranger: Caller
/** What the owner has, by the last name of the path that leads to it. */
let owned: Record<string, string>
beforeAll(async () => {
  place = await receiver()
  site = await Site.open({ environment: { WEBHOOK_ALLOWED_HOSTS: '127.0.0.1' } })
  admin = new Caller(site, site.admin_key)
  owner = await site.caller('5.00')
  stranger = await site.caller('5.00')
  const webhook = await owner.json<{ id: string }>('/v1/webhooks', { url: place.url })
  const response = await owner.json<{ id: string }>('/v1/responses', {
    model: 'sandbox/chat',
    input: 'a secret of the owner',
  })
  const film = await owner.json<{ id: string }>('/v1/videos', {
    model: 'sandbox/video',
    prompt: 'a secret film',
    seconds: '4',
  })
  const asked = { model: 'sandbox/image', prompt: 'a secret picture', size: '64x64' }
  const { thread_id } = await owner.json<{ thread_id: string }>('/v1/images/threads', asked)
  const chat = await owner.send('/v1/chat/completions', chatBody('a secret chat'), {
    headers: { prefer: 'respond-async' },
  })
  await owner.jobWhen(film.id)
  await owner.jobWhen(chat.json.id)
  await place.until(1)
  const deliveries = await owner.json<{ data: { id: string }[] }>('/v1/webhooks/deliveries')
  owned = {
    '/v1/responses': response.id,
    '/v1/images/threads': thread_id,
    '/v1/videos': film.id,
    '/v1/jobs': chat.json.id,
    '/v1/webhooks': webhook.id,
    '/v1/webhooks/deliveries': String(deliveries.data[0]?.id),
  }
})
afterAll(async () => {
  await site.close()
  await place.close()
})

const isNamed = ({ key, path }: RouteEntry) => key === 'caller' && /:\w/.test(path) && !path.includes('/characters/')

/** Bodies that the route would take from the owner. */
const BODIES: Record<string, object> = {
  '/v1/images/threads/:id': { prompt: 'now in blue' },
  '/v1/videos/:id/remix': { prompt: 'now in blue' },
  '/v1/videos/:id/extend': { prompt: 'now in blue', seconds: '4' },
  '/v1/webhooks/:id': { disabled: true },
}

function ask(caller: Caller, { method, path }: RouteEntry) {
  const place = path.slice(0, path.indexOf('/:'))
  const id = owned[place]
  if (id === undefined) throw new Error(`${path}: tell here what of it the owner has.`)
  const body = method === 'GET' || method === 'DELETE' ? undefined : (BODIES[path] ?? {})
  return caller.send(path.replace(':id', id).replace(':n', '0'), body, { method })
}

describe('what belongs to another account', () => {
  it.each(CATALOG.filter(isNamed).map((route) => [`${route.method} ${route.path}`, route] as const))(
    'is not there: %s',
    async (_name, route) => {
      const { status, text } = await ask(stranger, route)
      expect([status, text]).toEqual([404, expect.not.stringMatching(/secret|acc_|whsec_/)])
      const nobody = route.path.replace(':id', `${route.path.includes('jobs') ? 'job' : 'x'}_${'0'.repeat(26)}`)
      const body = route.method === 'GET' || route.method === 'DELETE' ? undefined : (BODIES[route.path] ?? {})
      const missing = await stranger.send(nobody.replace(':n', '0'), body, { method: route.method })
      // The same words as for what never was, so that ids cannot be tried out.
      expect([missing.status, missing.json.error.code]).toEqual([404, JSON.parse(text).error.code])
    },
  )

  it('is in none of its lists, and its money is untouched', async () => {
    const before = await owner.credits()
    for (const path of ['/v1/jobs', '/v1/videos', '/v1/images/threads', '/v1/webhooks', '/v1/webhooks/deliveries'])
      expect([path, (await stranger.json<{ data: object[] }>(path)).data]).toEqual([path, []])
    for (const id of Object.values(owned))
      for (const path of ['/v1/jobs', '/v1/videos', '/v1/images/threads', '/v1/webhooks', '/v1/webhooks/deliveries']) {
        const { status, text } = await stranger.send(`${path}?after=${id}&order=asc&limit=100`)
        expect([path, status, text]).toEqual([path, expect.any(Number), expect.not.stringMatching(/secret|acc_/)])
      }
    expect(await stranger.send('/v1/usage')).toMatchObject({
      status: 200,
      text: expect.not.stringContaining('sandbox/'),
    })
    expect(await owner.credits()).toEqual(before)
  })

  it('is still the owner’s, whatever the stranger tried', async () => {
    expect((await owner.send(`/v1/webhooks/${owned['/v1/webhooks']}`)).json).toMatchObject({ disabled: false })
    for (const [path, id] of Object.entries(owned))
      expect([path, (await owner.send(`${path}/${id}`)).status]).toEqual([path, 200])
  })

  it('cannot be gone on from or made anew: earlier responses and films in the body', async () => {
    const response = { model: 'sandbox/chat', input: 'and?', previous_response_id: owned['/v1/responses'] }
    const film = { id: owned['/v1/videos'] }
    for (const [path, body] of [
      ['/v1/responses', response],
      ['/v1/responses/input_tokens', response],
      ['/v1/responses/compact', response],
      ['/v1/videos/edits', { video: film, prompt: 'x' }],
      ['/v1/videos/extensions', { video: film, prompt: 'x', seconds: '4' }],
    ] as const) {
      const { status, text } = await stranger.send(path, body)
      expect([path, status, text]).toEqual([
        path,
        expect.toBeOneOf([400, 404]),
        expect.not.stringMatching(/secret|acc_/),
      ])
    }
    const { data } = await stranger.json<{ data: object[] }>('/v1/jobs')
    expect(data).toEqual([])
  })

  it('an address with the owner’s signature opens the file that it names and no other', async () => {
    const { outputs } = await owner.job(String(owned['/v1/jobs']))
    const address = String(outputs[0]?.url)
    expect((await fetch(site.url + address)).status).toBe(200)
    const { outputs: films } = await owner.job(String(owned['/v1/videos']))
    const [query] = address.split('?').slice(1)
    const [other] = String(films[0]?.url).split('?')
    for (const changed of [`${other}?${query}`, address.replace('/outputs/0', '/outputs/1')])
      expect([changed, (await fetch(site.url + changed)).status]).toEqual([changed, 403])
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
      expect([method, (await fetch(site.url + address, { method })).status]).toEqual([method, 401])
    expect((await fetch(site.url + address.replace('/outputs/0', ''))).status).toBe(401)
    expect((await fetch(`${site.url}${address}&thumbnail=256`)).status).not.toBe(500)
  })
})

/** Whatever would be worth having, in everything that has a body of our own. */
const WISHES: Record<string, unknown> = {
  role: 'admin',
  kind: 'admin',
  is_admin: true,
  account_id: 'acc_other',
  user_id: 'usr_other',
  credits: 1e18,
  credits_usd: '1000000.00',
  available: 1e18,
  available_usd: '1000000.00',
  avail: 1e18,
  held: -1,
  settled: -1,
  balance: 1e18,
  _id: 'x',
  hash: 'x',
  key_hash: 'x',
  secrets: [],
  secret: 'whsec_x',
  state: 'settled',
  created_at: 0,
  $set: { kind: 'admin' },
  $where: 'sleep(1000)',
}

/** Routes whose body is strictly ours, with one that is taken; `{user}` and the like are filled in. */
const OURS: [method: 'POST' | 'PATCH', path: string, body: Record<string, unknown>, by: 'admin' | 'owner'][] = [
  ['POST', '/api/v1/users', { name: 'Eve' }, 'admin'],
  ['PATCH', '/api/v1/users/{user}', { name: 'Eve' }, 'admin'],
  ['POST', '/api/v1/users/{user}/credits', { amount_usd: '0.01', kind: 'paid', reason: 'x' }, 'admin'],
  ['POST', '/api/v1/users/{user}/prices', { model: 'sandbox/chat', discount: '0.10' }, 'admin'],
  ['POST', '/api/v1/lots/{nothing}/reclaim', { amount_usd: '0.01', reason: 'x' }, 'admin'],
  ['POST', '/api/v1/jobs/{nothing}/refund', { amount_usd: '0.01', reason: 'x' }, 'admin'],
  ['POST', '/api/v1/codes', { amount_usd: '0.01', kind: 'paid', reason: 'x', count: 1, uses: 1 }, 'admin'],
  ['PATCH', '/api/v1/codes/{nothing}', { disabled: true }, 'admin'],
  ['POST', '/api/v1/keys/{key}/rotate', { grace_seconds: 60 }, 'admin'],
  ['POST', '/api/v1/margin/invoice', { provider: 'openai', csv: 'x', tolerance_usd: '0.01' }, 'admin'],
  ['POST', '/api/v1/prices/dry-run', { files: {} }, 'admin'],
  ['POST', '/v1/credits/redeem', { code: 'x' }, 'owner'],
  ['POST', '/api/v1/keys', { user_id: '{user}', name: 'x' }, 'admin'],
  ['PATCH', '/api/v1/keys/{key}', { name: 'x' }, 'admin'],
  ['POST', '/v1/webhooks', { url: '{url}' }, 'owner'],
  ['PATCH', '/v1/webhooks/{webhook}', { description: 'x' }, 'owner'],
  ['POST', '/v1/webhooks/{webhook}/rotate', { overlap_hours: 1 }, 'owner'],
  ['POST', '/v1/webhooks/secret/rotate', { overlap_hours: 1 }, 'owner'],
]

describe('a body of ours', () => {
  let fill: (text: string) => string
  beforeAll(async () => {
    const { data: users } = await admin.json<{ data: { id: string; account_id: string }[] }>('/api/v1/users')
    const user = users.find(({ account_id }) => account_id === owner.account_id)?.id ?? ''
    const { data: keys } = await admin.json<{ data: { id: string }[] }>(`/api/v1/keys?user_id=${user}`)
    const known: Record<string, string> = {
      user,
      key: keys[0]?.id ?? '',
      url: place.url,
      webhook: owned['/v1/webhooks'] ?? '',
      nothing: `x_${'0'.repeat(26)}`,
    }
    fill = (text) => text.replace(/\{(\w+)\}/g, (_whole, name: string) => known[name] ?? '')
  })
  const filled = (value: unknown): unknown => JSON.parse(fill(JSON.stringify(value)))

  it.each(OURS)('%s %s takes what it knows and nothing that one may wish', async (method, path, body, by) => {
    const caller = by === 'admin' ? admin : owner
    const credits = await owner.credits()
    const key = await admin.json(fill('/api/v1/keys/{key}'))
    for (const [name, value] of Object.entries(WISHES)) {
      if (name in body || (name === 'user_id' && path === '/api/v1/keys')) continue
      const { status, json } = await caller.send(fill(path), { ...(filled(body) as object), [name]: value }, { method })
      expect([name, status, json.error?.code]).toEqual([name, 400, 'unknown_parameter'])
    }
    expect(await owner.credits()).toEqual(credits)
    expect(await admin.json(fill('/api/v1/keys/{key}'))).toEqual(key)
  })

  it.each(OURS)(
    '%s %s takes no operator of the store where a text or a number belongs',
    async (method, path, body, by) => {
      const caller = by === 'admin' ? admin : owner
      for (const name of Object.keys(body))
        for (const operator of [
          { $ne: null },
          { $gt: '' },
          { $regex: '.*' },
          { $in: ['x'] },
          ['x', 'y'],
          { toString: 'x' },
        ]) {
          const { status } = await caller.send(
            fill(path),
            { ...(filled(body) as object), [name]: operator },
            { method },
          )
          expect([name, operator, status]).toEqual([name, operator, 400])
        }
    },
  )

  it('is told in the catalog: a new route of ours belongs into the table above', () => {
    const ours = CATALOG.filter(
      ({ method, path, key, body }) =>
        body !== undefined && (method === 'PATCH' || key === 'admin' || /^\/v1\/(webhooks|credits)/.test(path)),
    )
    const table = OURS.map(([method, path]) => `${method} ${path.replace(/\{\w+\}/, ':id')}`)
    expect(ours.map(({ method, path }) => `${method} ${path}`).filter((route) => !table.includes(route))).toEqual([])
  })
})

describe('a query', () => {
  const LISTS = CATALOG.filter(
    ({ method, path, key }) => method === 'GET' && (key === 'caller' || key === 'admin') && !/[:*]/.test(path),
  )
  const OPERATORS = [
    'id[$gt]=',
    'status[$ne]=x',
    'status[$regex]=.*',
    '$where=sleep(1000)',
    'limit[$gt]=1',
    'after[$ne]=',
    'fields=name:$hash',
    'select=%2Bhash',
    'populate=account',
    'account_id=acc_other',
    '__proto__[x]=1',
    'constructor[prototype][x]=1',
    'status=a&status=b',
  ]
  /** Lists in other vendors' format, and answers of no list: what they do not know they pass over, as the vendors do. */
  const LENIENT = [
    '/v1/models',
    '/v1beta/models',
    '/v1/credits',
    '/v1/key',
    '/v1/webhooks/secret',
    '/v1/videos',
    '/metrics',
  ]

  it.each(LISTS.map(({ path, key }) => [path, key]))(
    'of %s takes no operator, no projection and no account',
    async (path, key) => {
      const caller = key === 'admin' ? admin : owner
      const plain = await caller.send(path)
      for (const query of OPERATORS) {
        const { status, text } = await caller.send(`${path}?${query}`)
        if (LENIENT.includes(path)) expect([query, [200, 400]]).toEqual([query, expect.arrayContaining([status])])
        else expect([query, status]).toEqual([query, 400])
        if (status === 200 && path !== '/metrics' && path !== '/v1/key')
          expect([query, text]).toEqual([query, plain.text])
      }
      expect(Reflect.get({}, 'x')).toBeUndefined()
    },
  )

  it('is taken literally where it searches: no pattern runs', async () => {
    for (const model of ['%%%%%%', '(a+)+$', '.*', 'sandbox/.*']) {
      const started_ms = performance.now()
      const { data } = await owner.json<{ data: object[] }>(`/v1/jobs?model=${encodeURIComponent(model)}`)
      expect([model, data]).toEqual([model, []])
      expect(performance.now() - started_ms).toBeLessThan(1000)
    }
  })
})

describe('what admins are shown', () => {
  it('has no key, no hash and no secret in it, of users, keys and providers alike', async () => {
    for (const path of [
      '/api/v1/users',
      '/api/v1/keys',
      '/api/v1/providers',
      '/api/v1/audit',
      '/api/v1/jobs',
      '/api/v1/ledger',
      '/api/v1/prices',
      '/api/v1/models',
    ]) {
      const { status, text } = await admin.send(`${path}${/providers|prices|models/.test(path) ? '' : '?limit=100'}`)
      expect([path, status]).toEqual([path, 200])
      expect(text).not.toMatch(/sk-sw-[0-9A-Za-z]{20}|whsec_|"hash"|"password|"sealed"|"[0-9a-f]{64}"/)
      expect(text).not.toContain(owner.key)
      expect(text).not.toContain(site.admin_key)
    }
  })
})
