// Downloads through Koa from files on disk: whole, in parts, cached, left early, and harmless.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Koa from 'koa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Context, State } from '../../src/http/context.ts'
import { type DownloadOptions, sendFile } from '../../src/http/download.ts'
import { RequestError } from '../../src/http/request_error.ts'
import { openStorage, type Storage } from '../../src/media/store.ts'
import { until } from '../providers/stub.ts'

const TEXT = '0123456789'
/** Of the connection, not of the file. */
const HOP = ['connection', 'date', 'keep-alive']
const BIG_BYTES = 32 * 2 ** 20

let folder: string
let storage: Storage
let server: Server
let url: string
const files: Record<string, { key: string } & DownloadOptions> = {}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sw-download-'))
  storage = await openStorage(folder, folder)
  await keep('small', Buffer.from(TEXT), { media_type: 'image/png', filename: '図 1.png' })
  await keep('page', Buffer.from('<script>'), { media_type: 'text/html' })
  await keep('svg', Buffer.from('<svg/>'), { media_type: 'image/svg+xml', filename: 'a.svg' })
  await keep('empty', Buffer.alloc(0), { media_type: 'video/mp4' })
  await keep('big', Buffer.alloc(BIG_BYTES, 7), { media_type: 'video/mp4' })
  files.gone = { key: 'acc_1/job_1/gone.png', media_type: 'image/png', bytes: 1 }
  files.grown = { ...(files.small as { key: string } & DownloadOptions), bytes: 11 }
  const app = new Koa<State>()
  app.silent = true
  app.use(async (context) => {
    const file = files[context.path.slice(1)]
    if (!file) return
    context.state.request = { error_format: 'openai' } as State['request']
    await sendFile(context as Context, storage, file.key, file).catch((error) => {
      if (!(error instanceof RequestError)) throw error
      context.status = error.status
      context.body = { code: error.code }
    })
  })
  server = createServer(app.callback())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await rm(folder, { recursive: true })
})

async function keep(name: string, data: Buffer, options: { media_type: string; filename?: string }) {
  const key = `acc_1/job_1/${name}.bin`
  const { bytes, sha256 } = await storage.put(key, data, { media_type: options.media_type, max_bytes: BIG_BYTES })
  files[name] = { key, bytes, sha256, ...options }
}

async function get(name: string, headers: Record<string, string> = {}, method = 'GET') {
  const response = await fetch(url + name, { headers, method })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

const openFiles = async () => (await readdir('/proc/self/fd')).length

describe('a download', () => {
  it('is whole, typed, named and harmless', async () => {
    const { status, headers, text } = await get('small')
    expect([status, text]).toEqual([200, TEXT])
    expect(Object.fromEntries(headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
      'content-length': '10',
      'content-security-policy': "sandbox; default-src 'none'",
      'content-type': 'image/png',
      etag: `"${files.small?.sha256}"`,
      'x-content-type-options': 'nosniff',
    })
    expect(headers.get('content-disposition')).toBe('inline; filename="? 1.png"; filename*=UTF-8\'\'%E5%9B%B3%201.png')
  })

  it('of what could run in a browser is only for saving', async () => {
    expect((await get('page')).headers.get('content-disposition')).toBe('attachment')
    expect((await get('svg')).headers.get('content-disposition')).toBe('attachment; filename="a.svg"')
    expect((await get('svg')).headers.get('content-type')).toBe('image/svg+xml')
    expect((await get('empty')).headers.get('content-disposition')).toBe('inline')
  })

  it('by HEAD is the same without a body', async () => {
    const [head, whole] = [await get('small', {}, 'HEAD'), await get('small')]
    const lasting = ({ headers }: typeof head) => [...headers].filter(([name]) => !HOP.includes(name))
    expect([head.status, head.text, lasting(head)]).toEqual([200, '', lasting(whole)])
    expect(await get('small', { range: 'bytes=0-1' }, 'HEAD')).toMatchObject({ status: 200 })
  })

  it('of what is no longer kept is a 404; of what differs from its record an error, not a wrong file', async () => {
    expect(await get('gone')).toMatchObject({ status: 404, text: '{"code":"not_found"}' })
    expect(await get('grown')).toMatchObject({ status: 500 })
  })

  it('of an empty file is empty', async () => {
    expect(await get('empty')).toMatchObject({ status: 200, text: '' })
    expect(await get('empty', { range: 'bytes=0-' })).toMatchObject({ status: 416 })
  })
})

describe('ranges', () => {
  it.each([
    ['bytes=0-3', '0123', 'bytes 0-3/10'],
    ['bytes=4-', '456789', 'bytes 4-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=-30', TEXT, 'bytes 0-9/10'],
    ['bytes=8-99', '89', 'bytes 8-9/10'],
    ['bytes=9-9', '9', 'bytes 9-9/10'],
  ])('%s gives that part', async (range, part, place) => {
    const { status, headers, text } = await get('small', { range })
    expect([status, text, headers.get('content-range'), headers.get('content-length')]).toEqual([
      206,
      part,
      place,
      String(part.length),
    ])
  })

  it.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%s is outside', async (range) => {
    const { status, headers, text } = await get('small', { range })
    expect([status, headers.get('content-range')]).toEqual([416, 'bytes */10'])
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'invalid_range' } })
  })

  it.each(['bytes=0-1,3-4', 'bytes=5-2', 'lines=1-2', 'bytes=-', 'bytes=a-b', 'bytes=0-1x'])(
    '%s is answered with the whole',
    async (range) => {
      expect(await get('small', { range })).toMatchObject({ status: 200, text: TEXT })
    },
  )

  it('hold only for the file that the caller has a part of', async () => {
    const range = 'bytes=0-3'
    expect(await get('small', { range, 'if-range': `"${files.small?.sha256}"` })).toMatchObject({ status: 206 })
    expect(await get('small', { range, 'if-range': '"other"' })).toMatchObject({ status: 200, text: TEXT })
  })

  it('fit together to the whole', async () => {
    const parts = await Promise.all(['bytes=0-2', 'bytes=3-3', 'bytes=4-'].map((range) => get('small', { range })))
    expect(parts.map(({ text }) => text).join('')).toBe(TEXT)
  })
})

describe('a file that the caller has', () => {
  it('is not sent again', async () => {
    const etag = `"${files.small?.sha256}"`
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const { status, headers, text } = await get('small', { 'if-none-match': known })
      expect([status, text, headers.get('etag')]).toEqual([304, '', etag])
    }
    expect(await get('small', { 'if-none-match': '"x"' })).toMatchObject({ status: 200 })
  })
})

it('a caller who leaves early closes the file', async () => {
  await get('small')
  const before = await openFiles()
  await new Promise<void>((resolve, reject) => {
    const leaving = request(`${url}big`, (response) => {
      response.once('data', () => {
        leaving.destroy()
        resolve()
      })
    })
    leaving.on('error', reject).end()
  })
  const handles: number[] = []
  await until(() => {
    void openFiles().then((count) => handles.push(count))
    return (handles.at(-1) ?? Number.POSITIVE_INFINITY) <= before
  })
})
