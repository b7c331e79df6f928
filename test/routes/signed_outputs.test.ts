// Addresses of files that work without a key: for their time, for their file, and for nothing else. Retention and deletion.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signedOutputPath } from '../../src/flow/media/signed_outputs.ts'
import { expireOutputs } from '../../src/flow/worker/retention.ts'
import { type Caller, type Job, recordOf, Site } from '../flow/site.ts'
import { S3_ENVIRONMENT, type TestS3, testS3 } from '../support/s3.ts'

const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`
const [k1, k2] = [key('k1'), key('k2')]
let s3: TestS3
const environment = { ENCRYPTION_KEYS: k1 }
let site: Site
let caller: Caller
beforeAll(async () => {
  s3 = await testS3()
  site = await Site.open({ environment: { ...environment, STORAGE_URL: s3.storageUrl('site'), ...S3_ENVIRONMENT } })
  caller = await site.caller('10.00')
})
afterAll(async () => {
  await site.close()
  await s3.close()
})

const picture = { model: 'sandbox/image', prompt: 'A signal box', size: '64x64' }
const error = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string; message: string } }
  return [response.status, error.code]
}

async function newJob(body = picture, headers: Record<string, string> = {}): Promise<Job> {
  const { json } = await caller.send('/v1/images/generations', body, {
    headers: { prefer: 'respond-async', ...headers },
  })
  return caller.jobWhen(json.id)
}

describe('the address of an output', () => {
  it('is whole in the answer about a picture, and fetches it without a key', async () => {
    const answer = await caller.send('/v1/images/generations', { ...picture, response_format: 'url' })
    const { url } = answer.json.data[0]
    expect(url).toMatch(
      new RegExp(`^${site.url}/v1/jobs/${answer.job_id}/outputs/0\\?expires=\\d{10}&signature=[\\w-]{43}$`),
    )
    const file = await fetch(url)
    expect(file.status).toBe(200)
    expect(Object.fromEntries(file.headers)).toMatchObject({
      'content-type': 'image/png',
      'cache-control': 'private, no-cache',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
    })
    const bytes = Buffer.from(await file.arrayBuffer())
    expect(bytes.subarray(1, 4).toString()).toBe('PNG')
    const part = await fetch(url, { headers: { range: 'bytes=1-3' } })
    expect([part.status, await part.text(), part.headers.get('content-range')]).toEqual([
      206,
      'PNG',
      `bytes 1-3/${bytes.length}`,
    ])
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(bytes.length)])
  })

  it('stands in the job, the same for a while, and goes on working with the key and without its signature', async () => {
    const job = await newJob()
    const url = job.outputs[0]?.url ?? ''
    expect(url).toMatch(new RegExp(`^/v1/jobs/${job.id}/outputs/0\\?expires=`))
    expect((await caller.job(job.id)).outputs[0]?.url).toBe(url)
    expect((await fetch(site.url + url)).status).toBe(200)
    const path = url.replace(/\?.*/, '')
    expect((await caller.request(path)).status).toBe(200)
    expect((await fetch(site.url + path)).status).toBe(401)
    const admin = await fetch(`${site.url}/api/v1/jobs/${job.id}`, {
      headers: { authorization: `Bearer ${site.admin_key}` },
    })
    expect(((await admin.json()) as Job).outputs[0]?.url).toBe(path)
  })

  it('is good for a day, and never longer than the output', async () => {
    const job = await recordOf(site, (await newJob()).id)
    const expiresOf = (path: string) => Number(/expires=(\d+)/.exec(path)?.[1])
    const now = Date.now()
    const life_h = (expiresOf(signedOutputPath(site.services, job, 0)) - now / 1000) / 3600
    expect(life_h).toBeGreaterThanOrEqual(23.9)
    expect(life_h).toBeLessThanOrEqual(25)
    const soon = new Date(now + 60_000)
    expect(expiresOf(signedOutputPath(site.services, { ...job, expires_at: soon }, 0))).toBe(Math.floor(+soon / 1000))
  })

  it('is refused when its time is over, and when anything of it was changed', async () => {
    const job = await newJob()
    const record = await recordOf(site, job.id)
    const old = signedOutputPath(site.services, record, 0, Date.now() - 48 * 3_600_000)
    expect(await error(await fetch(site.url + old))).toEqual([403, 'url_expired'])
    const url = site.url + (job.outputs[0]?.url ?? '')
    const forged = [
      url.replace('/outputs/0', '/outputs/1'),
      url.replace(/expires=\d+/, 'expires=9999999999'),
      url.replace(/expires=\d+&/, ''),
      url.replace(/signature=./, (found) => (found.endsWith('A') ? 'signature=B' : 'signature=A')),
      url.replace(/&signature=.*/, ''),
      `${url}&signature=x`,
      url.replace(job.id, (await newJob()).id),
      url.replace(job.id, 'job_nobody'),
      url.replace('/outputs/0', '/outputs/00'),
    ]
    for (const address of forged.slice(0, -1))
      expect([address, ...(await error(await fetch(address)))]).toEqual([address, 403, 'invalid_signature'])
    // The same number written otherwise names the same file.
    expect((await fetch(forged.at(-1) ?? '')).status).toBe(200)
    expect((await fetch(forged[1] ?? '', { headers: { authorization: `Bearer ${caller.key}` } })).status).toBe(200)
    expect((await fetch(forged[1] ?? '', { headers: { authorization: 'Bearer sk-wrong' } })).status).toBe(401)
  })

  it('survives a rotation of the keys, and not the loss of its key', async () => {
    const own = await Site.open({ environment })
    const { send } = await own.caller('1.00').then((user) => ({ send: user.send.bind(user) }))
    const { json } = await send('/v1/images/generations', { ...picture, response_format: 'url' })
    const path = String(json.data[0].url).slice(own.url.length)
    Object.assign(environment, { ENCRYPTION_KEYS: `${k2},${k1}` })
    await own.restart()
    expect((await fetch(own.url + path)).status).toBe(200)
    Object.assign(environment, { ENCRYPTION_KEYS: k2 })
    await own.restart()
    expect((await fetch(own.url + path)).status).toBe(403)
    await own.close()
  })

  it('offers what a browser could run for saving only', async () => {
    const { id } = await newJob()
    const key = `${caller.account_id}/${id}/9.svg`
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    const { bytes, sha256 } = await site.services.storage.put(key, svg, { media_type: 'image/svg+xml', max_bytes: 1e4 })
    const output = {
      type: 'image',
      key,
      media_type: 'image/svg+xml',
      bytes,
      sha256,
      seconds: null,
      width: 1,
      height: 1,
    }
    await site.services.store.jobs.updateOne({ _id: id }, { $set: { outputs: [output] } } as never)
    const { headers } = await fetch(site.url + (await caller.job(id)).outputs[0]?.url)
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-disposition': 'attachment',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
    })
  })
})

describe('retention', () => {
  it('is that of the key, where it has one, and can be changed', async () => {
    const admin = { headers: { authorization: `Bearer ${site.admin_key}` } }
    const { data } = await caller.json<{ data: { id: string }[] }>('/api/v1/keys', undefined, admin)
    const id = data[0]?.id ?? ''
    const keep = (retention_days: unknown) =>
      caller.send(`/api/v1/keys/${id}`, { retention_days }, { ...admin, method: 'PATCH' })
    for (const wrong of [0, 1.5, -1, 4000, '7']) expect((await keep(wrong)).status).toBe(400)
    expect((await keep(30)).json).toMatchObject({ retention_days: 30 })
    const days = async () => {
      const { created_at, expires_at } = (await newJob()) as Job & { created_at: number; expires_at: number }
      return Math.round((expires_at - created_at) / 86_400)
    }
    expect(await days()).toBe(30)
    expect((await keep(null)).json).toMatchObject({ retention_days: null })
    expect(await days()).toBe(7)
  })

  it('over, the file and its address are gone, and the job stays', async () => {
    const job = await newJob()
    const { outputs } = await recordOf(site, job.id)
    await site.services.store.jobs.updateOne({ _id: job.id }, { $set: { expires_at: new Date(Date.now() - 1000) } })
    await expireOutputs(site.services)
    expect(await site.services.storage.open(outputs[0]?.key ?? '')).toBeUndefined()
    expect((await caller.job(job.id)).outputs[0]?.url).toBeNull()
    expect(await error(await fetch(site.url + (job.outputs[0]?.url ?? '')))).toEqual([404, 'output_expired'])
  })
})

it('a file that cannot be removed keeps no other, and is tried again', async () => {
  const { storage, store } = site.services
  const [one, other] = [await newJob(), await newJob()]
  const past = (id: string, ago_ms: number) =>
    store.jobs.updateOne({ _id: id }, { $set: { expires_at: new Date(Date.now() - ago_ms) } })
  await past(one.id, 2000)
  await past(other.id, 1000)
  const { removeAll } = storage
  storage.removeAll = async (prefix) => {
    if (prefix.includes(one.id)) throw new Error('The disk failed.')
    await removeAll(prefix)
  }
  await expireOutputs(site.services)
  storage.removeAll = removeAll
  const urls = async () => [one, other].map(async ({ id }) => (await caller.job(id)).outputs[0]?.url)
  expect(await Promise.all(await urls())).toEqual([expect.any(String), null])
  await expireOutputs(site.services)
  expect(await Promise.all(await urls())).toEqual([null, null])
})

it('a deleted job takes its files with it, and their addresses', async () => {
  const job = await newJob()
  const { outputs } = await recordOf(site, job.id)
  expect((await caller.request(`/v1/jobs/${job.id}`, undefined, { method: 'DELETE' })).status).toBe(200)
  expect(await site.services.storage.open(outputs[0]?.key ?? '')).toBeUndefined()
  expect(await error(await fetch(site.url + (job.outputs[0]?.url ?? '')))).toEqual([404, 'job_not_found'])
})
