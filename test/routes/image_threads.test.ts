// Threads of pictures: made, changed in words, refused, deleted and outlived, through the official SDK and plain HTTP.
import type OpenAI from 'openai'
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { expireOutputs } from '../../src/flow/worker/retention.ts'
import { openStudio, plate, type Studio } from '../painters/site.ts'
import { clientOf, costOf, errorOf, eventually, get, post } from '../support/client.ts'

let studio: Studio
let client: OpenAI
beforeAll(async () => {
  studio = await openStudio()
  client = clientOf(studio.router)
})
beforeEach(() => {
  studio.stub.seen.length = 0
})
afterAll(() => studio.close())

interface Made {
  thread_id: string
  data: { b64_json?: string; url?: string }[]
  usage: { cost: number }
}
interface ThreadTurn {
  job_id: string
  prompt: string | null
  outputs: { url: string | null; width: number }[]
  cost_usd: string
}
interface Thread {
  id: string
  object: string
  status: string
  model: string
  turns: ThreadTurn[]
  pending: ThreadTurn | null
}

const asked = { model: 'sandbox/image', prompt: 'a heron', size: '128x64' }
const begin = (more: object = {}) => client.post<Made>('/images/threads', { body: { ...asked, ...more } as never })
const goOn = (id: string, body: object) => client.post<Made>(`/images/threads/${id}`, { body: body as never })
const threadOf = (id: string) => client.get<Thread>(`/images/threads/${id}`)
const idle = (id: string) =>
  eventually(async () => {
    const thread = await threadOf(id)
    return thread.status === 'idle' ? thread : undefined
  })
const bytes = ({ data }: Made) => Buffer.from(data[0]?.b64_json ?? '', 'base64')

describe('a thread', () => {
  it('begins with a picture and changes the last one in words; each turn is a job and is charged', async () => {
    let id = ''
    const spent = await costOf(studio.router, async () => {
      const first = await begin()
      id = first.thread_id
      expect(id).toMatch(/^thr_\w+$/)
      expect(first.usage.cost).toBe(0.01)
      const second = await goOn(id, { prompt: 'at night' })
      expect(second.thread_id).toBe(id)
      expect(await sharp(bytes(second)).metadata()).toMatchObject({ width: 128, height: 64 })
      expect(bytes(second).equals(bytes(first))).toBe(false)
    })
    expect(spent).toBe('0.020000000')
    const thread = await threadOf(id)
    expect(thread).toMatchObject({ object: 'image.thread', status: 'idle', model: 'sandbox/image', pending: null })
    expect(thread.turns.map(({ prompt, cost_usd }) => [prompt, cost_usd])).toEqual([
      ['a heron', '0.010000000'],
      ['at night', '0.010000000'],
    ])
    const job = (await (await get(studio.router, `/jobs/${thread.turns[1]?.job_id}`)).json()) as object
    expect(job).toMatchObject({ endpoint: 'images.threads', operation: 'image', status: 'completed' })
    const file = await fetch(studio.router.url + (thread.turns[0]?.outputs[0]?.url ?? ''))
    expect((await sharp(Buffer.from(await file.arrayBuffer())).metadata()).width).toBe(128)
  })

  it('hands the last picture on to the provider, and new ones after it', async () => {
    studio.tell(async (_, { n }) => ({
      status: 'done',
      images: await Promise.all(
        Array.from({ length: n }, async (_, k) => ({ b64: await plate(64, 32, k ? '#f00' : '#0f0') })),
      ),
    }))
    const { thread_id } = await begin({ model: 'pairs/plain', size: '64x32', n: 2, quality: 'high' })
    const extra = `data:image/png;base64,${await plate(16, 16)}`
    await goOn(thread_id, { prompt: 'with this', images: [extra], output: 1 })
    await goOn(thread_id, { prompt: 'wider', aspect_ratio: '2:1' })
    const [first, second, third] = studio.asked()
    expect(first).toMatchObject({ n: 2, quality: 'high', images: [] })
    expect(second).toMatchObject({ n: 1, quality: 'high', size: '64x32', prompt: 'with this' })
    expect(second?.images).toHaveLength(2)
    const { data } = await sharp(Buffer.from(second?.images[0] ?? '', 'base64'))
      .raw()
      .toBuffer({ resolveWithObject: true })
    expect([...data.subarray(0, 3)]).toEqual([255, 0, 0])
    expect(third).toMatchObject({ size: '1456x720' })
    const error = goOn(thread_id, { prompt: 'x', output: 7 })
    await expect(error).rejects.toMatchObject({ status: 400, param: 'output' })
  })

  it('takes forms, streams and answers 202, like any other picture', async () => {
    const form = new FormData()
    for (const [name, value] of Object.entries(asked)) form.append(name, value)
    form.append('image', new Blob([Buffer.from(await plate(64, 64), 'base64')]), 'a.png')
    const headers = { authorization: `Bearer ${studio.router.api_key}` }
    const answer = await fetch(`${studio.router.base_url}/images/threads`, { method: 'POST', headers, body: form })
    const { thread_id } = (await answer.json()) as Made
    expect(answer.headers.get('x-thread-id')).toBe(thread_id)
    const stream = await post(studio.router, `/images/threads/${thread_id}`, { prompt: 'in rain', stream: true })
    expect(await stream.text()).toContain('event: image_edit.completed')
    expect((await idle(thread_id)).turns).toHaveLength(2)
    const later = await post(
      studio.router,
      `/images/threads/${thread_id}`,
      { prompt: 'in snow' },
      { prefer: 'respond-async' },
    )
    expect(later.status).toBe(202)
    expect(await later.json()).toMatchObject({ object: 'job', thread_id })
    expect((await idle(thread_id)).turns.map(({ prompt }) => prompt)).toEqual(['a heron', 'in rain', 'in snow'])
  })

  it('goes on under way: a second turn at once is 409, and the first is not lost', async () => {
    const { thread_id } = await begin()
    const answers = await Promise.all(
      ['red', 'blue'].map((word) =>
        post(studio.router, `/images/threads/${thread_id}`, { prompt: `${word} [[delay:200ms]]` }),
      ),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
    const refused = answers.find(({ status }) => status === 409)
    expect(refused?.headers.get('x-should-retry')).toBe('false')
    expect(refused && (await errorOf(refused))).toMatchObject({ code: 'thread_busy' })
    expect((await threadOf(thread_id)).turns).toHaveLength(2)
  })

  it('is left as it was by a turn that fails, is refused or cannot be paid, and nothing is charged', async () => {
    const { thread_id } = await begin()
    const spent = await costOf(studio.router, async () => {
      for (const [body, status] of [
        [{ prompt: 'x [[fail:content_policy]]' }, 400],
        [{ prompt: 'x [[fail:unavailable]]' }, 502],
        [{ prompt: 'x', size: '1x1' }, 400],
        [{ prompt: 'x', max_cost_usd: '0.001' }, 400],
        [{ prompt: 'x', image: `data:text/plain,hello` }, 415],
        [{}, 400],
        [{ prompt: 'x', provider: 'sandbox' }, 400],
      ] as const) {
        await expect(goOn(thread_id, body), JSON.stringify(body)).rejects.toMatchObject({ status })
      }
    })
    expect(spent).toBe('0.000000000')
    const thread = await threadOf(thread_id)
    expect(thread).toMatchObject({ status: 'idle' })
    expect(thread.turns).toHaveLength(1)
    await goOn(thread_id, { prompt: 'still here', model: 'sandbox/image', provider: 'sandbox' })
  })

  it('does not come to be where its first picture fails', async () => {
    const before = (await client.get<{ data: Thread[] }>('/images/threads')).data.length
    await expect(begin({ prompt: '[[fail:content_policy]]' })).rejects.toMatchObject({ status: 400 })
    await expect(begin({ prompt: '' })).rejects.toMatchObject({ status: 400 })
    expect((await client.get<{ data: Thread[] }>('/images/threads')).data).toHaveLength(before)
  })

  it('keeps the turn of a caller who hung up', async () => {
    const { thread_id } = await begin()
    const leaving = new AbortController()
    const body = { prompt: 'slow [[delay:1s]]' } as never
    const turn = expect(client.post(`/images/threads/${thread_id}`, { body, signal: leaving.signal })).rejects.toThrow()
    await eventually(async () => ((await threadOf(thread_id)).status === 'in_progress' ? true : undefined))
    leaving.abort()
    await turn
    await eventually(async () => ((await threadOf(thread_id)).turns.length === 2 ? true : undefined))
  })

  it('can be estimated before its next turn', async () => {
    const { thread_id } = await begin()
    const estimate = await post(studio.router, '/estimate', { operation: 'image', thread_id, prompt: 'x', n: 3 })
    expect(await estimate.json()).toMatchObject({ model: 'sandbox/image', hold_usd: '0.030000000' })
  })
})

describe('the threads of an account', () => {
  it('are listed, newest first, page by page', async () => {
    const ids = [(await begin()).thread_id, (await begin()).thread_id]
    const list = await client.get<{ data: Thread[]; has_more: boolean; last_id: string }>('/images/threads?limit=1')
    expect(list).toMatchObject({ object: 'list', has_more: true, last_id: ids[1] })
    const next = await client.get<{ data: Thread[] }>(`/images/threads?limit=1&after=${list.last_id}`)
    expect(next.data.map(({ id }) => id)).toEqual([ids[0]])
    expect(next.data[0]?.turns).toHaveLength(1)
  })

  it('are nobody else’s: 404 to look, to go on and to delete', async () => {
    const { thread_id } = await begin()
    const admin = { authorization: `Bearer ${studio.router.admin_key}`, 'content-type': 'application/json' }
    const call = async (path: string, body: object) => {
      const init = { method: 'POST', headers: admin, body: JSON.stringify(body) }
      return (await (await fetch(`${studio.router.url}/api/v1${path}`, init)).json()) as { id: string; key: string }
    }
    const user = await call('/users', { name: 'Bob' })
    const { key } = await call('/keys', { user_id: user.id, name: 'k' })
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const url = `${studio.router.base_url}/images/threads/${thread_id}`
    for (const init of [{}, { method: 'POST', body: '{"prompt":"mine"}' }, { method: 'DELETE' }]) {
      expect(await errorOf(await fetch(url, { ...init, headers }))).toMatchObject({
        status: 404,
        code: 'thread_not_found',
      })
    }
    expect((await threadOf(thread_id)).turns).toHaveLength(1)
  })

  it('go with their pictures when they are deleted, while the cost of their jobs stays', async () => {
    const { thread_id } = await begin()
    const [turn] = (await threadOf(thread_id)).turns
    await expect(client.delete(`/images/threads/${thread_id}`)).resolves.toMatchObject({ deleted: true })
    expect(await errorOf(await get(studio.router, `/images/threads/${thread_id}`))).toMatchObject({ status: 404 })
    const file = await errorOf(await get(studio.router, `/jobs/${turn?.job_id}/outputs/0`))
    expect(file).toMatchObject({ status: 404, code: 'output_expired' })
    const job = (await (await get(studio.router, `/jobs/${turn?.job_id}`)).json()) as object
    expect(job).toMatchObject({ billing: { cost_usd: '0.010000000' } })
  })

  it('cannot be deleted while a turn is under way', async () => {
    const { thread_id } = await begin()
    const turn = goOn(thread_id, { prompt: 'slow [[delay:1s]]' })
    await eventually(async () => ((await threadOf(thread_id)).status === 'in_progress' ? true : undefined))
    await expect(client.delete(`/images/threads/${thread_id}`)).rejects.toMatchObject({ status: 409 })
    await turn
    await client.delete(`/images/threads/${thread_id}`)
  })

  it('lose their words with their pictures when their time is over, and say so', async () => {
    const { thread_id } = await begin()
    const { services } = studio.router
    const [turn] = (await threadOf(thread_id)).turns
    const past = { $set: { expires_at: new Date(Date.now() - 1000) } }
    await services.store.jobs.updateOne({ _id: turn?.job_id ?? '' }, past)
    await services.store.threads.updateOne({ _id: thread_id }, past)
    await expireOutputs(services)
    await expect(goOn(thread_id, { prompt: 'more' })).rejects.toMatchObject({ status: 410, code: 'output_expired' })
    const thread = await threadOf(thread_id)
    expect(thread.turns[0]).toMatchObject({ prompt: null, outputs: [{ url: null }] })
    expect(thread.status).toBe('idle')
  })
})
