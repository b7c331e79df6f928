// Work of Kling whose submission was not heard: found again by our own id, or known not to be there.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import kling from '../../../providers/kling/index.ts'
import { type Call, ProviderError } from '../../../src/contract.ts'
import { makeProviderFetch } from '../../../src/protocols/transport.ts'
import { json, Stub } from '../stub.ts'

const stub = new Stub()
const fetch = makeProviderFetch({ provider: 'Kling' })
beforeAll(() => stub.start())
beforeEach(() => {
  stub.seen.length = 0
})
afterAll(async () => {
  await fetch.close()
  await stub.stop()
})

const films = () => {
  const { video } = kling.connect({ access_key: 'access', secret_key: 'secret', base_url: stub.url }, { fetch })
  if (!video?.find || !video.poll) throw new Error('Kling finds films.')
  return { find: video.find, poll: video.poll }
}
const call: Call = {
  job: 'job_lost',
  upstream: 'kling-v3',
  options: {},
  signal: new AbortController().signal,
  log: { debug: () => {}, warn: () => {} },
}
const unknown = json({ code: 1203, message: 'task not found', request_id: 'r' }, 404)
const task = (data: object) =>
  json({ code: 0, message: 'SUCCEED', request_id: 'r', data: { task_id: '8241', ...data } })

it('is found under whichever path took it, and looked at there', async () => {
  stub.answer = (response, seen) =>
    (seen.path === '/v1/videos/image2video/job_lost' ? task({ task_status: 'processing' }) : unknown)(response, seen)
  const found = await films().find(call)
  if (found?.status !== 'pending') throw new Error(`It is ${found?.status}.`)
  const film = { id: 'v1', url: 'https://cdn.klingai.com/1.mp4', duration: '5.1' }
  stub.answer = task({ task_status: 'succeed', task_result: { videos: [film] } })
  expect(await films().poll(JSON.parse(JSON.stringify(found.ref)), call)).toMatchObject({
    status: 'done',
    output: { video: { url: film.url } },
    usage: { meters: { video_seconds: 5, videos: 1 }, source: 'reported' },
  })
  expect(stub.seen.map(({ path }) => path)).toEqual([
    '/v1/videos/text2video/job_lost',
    '/v1/videos/image2video/job_lost',
    '/v1/videos/image2video/8241',
  ])
})

it('is not there where no path knows it', async () => {
  stub.answer = unknown
  expect(await films().find(call)).toBeUndefined()
  expect(stub.seen).toHaveLength(2)
})

it('stays unknown while Kling does not answer', async () => {
  stub.answer = json({ code: 5001, message: 'maintenance', request_id: 'r' }, 503)
  await expect(films().find(call)).rejects.toBeInstanceOf(ProviderError)
})
