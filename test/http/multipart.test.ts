// Forms over a real port, as fetch and hostile clients send them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readMultipart } from '../../src/http/multipart.ts'
import { exchange, type Reading, serve } from './serve.ts'

const LIMITS = {
  max_file_bytes: 2 ** 20,
  max_files: 3,
  max_fields: 10,
  max_field_bytes: 1000,
  max_total_bytes: 16 * 2 ** 20,
  idle_timeout_ms: 300,
}

let port: Reading
/** CPU time of the last reading. */
let cpu_ms = 0
beforeAll(async () => {
  port = await serve(async (request) => {
    const start = process.threadCpuUsage()
    try {
      const { fields, files } = await readMultipart(request, LIMITS)
      return { fields, files: files.map(({ data, ...file }) => ({ ...file, data: data.toString('latin1', 0, 20) })) }
    } finally {
      const { user, system } = process.threadCpuUsage(start)
      cpu_ms = (user + system) / 1000
    }
  })
})
afterAll(() => port.close())

async function post(body: string | FormData | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const response = await fetch(port.url, { method: 'POST', body, headers })
  return { status: response.status, ...((await response.json()) as Record<string, unknown>) }
}

function form(...parts: [string, string | Blob, string?][]): FormData {
  const data = new FormData()
  for (const [name, value, filename] of parts) {
    if (typeof value === 'string') data.append(name, value)
    else data.append(name, value, filename)
  }
  return data
}

const raw = (body: string | Buffer, boundary = 'abc') =>
  post(new Uint8Array(Buffer.from(body)), { 'content-type': `multipart/form-data; boundary=${boundary}` })

describe('fields', () => {
  it('become the object that their names stand for', async () => {
    const given = form(
      ['prompt', 'grüße'],
      ['input_reference[image_url]', 'https://x/a.png'],
      ['input_reference[detail]', 'high'],
      ['timestamp_granularities[]', 'word'],
      ['include[]', 'a'],
      ['include[]', 'b'],
      ['tags[0]', 'a'],
      ['tag', 'x'],
      ['tag', 'y'],
    )
    expect(await post(given)).toEqual({
      status: 200,
      fields: {
        prompt: 'grüße',
        input_reference: { image_url: 'https://x/a.png', detail: 'high' },
        timestamp_granularities: ['word'],
        include: ['a', 'b'],
        tags: ['a'],
        tag: ['x', 'y'],
      },
      files: [],
    })
  })

  it.each(['__proto__', 'a[__proto__]', 'constructor[prototype]', 'a[', 'a]b', '[a]', 'a[][b]', `a${'[b]'.repeat(9)}`])(
    'named %s are refused',
    async (name) => {
      expect(await post(form([name, 'x']))).toMatchObject({ status: 400, param: name })
      expect(Reflect.get({}, 'x')).toBeUndefined()
    },
  )

  it('named like methods of objects are only names', async () => {
    expect(await post(form(['toString', 'x'], ['valueOf[a]', 'y']))).toMatchObject({
      fields: { toString: 'x', valueOf: { a: 'y' } },
    })
  })

  it('that contradict each other are refused', async () => {
    expect(await post(form(['a', 'x'], ['a[b]', 'y']))).toMatchObject({ status: 400, param: 'a[b]' })
    expect(await post(form(['a[b]', 'y'], ['a', 'x']))).toMatchObject({ status: 400, param: 'a' })
  })
})

describe('files', () => {
  it('come in order with name, declared type and bytes', async () => {
    const given = form(
      ['image[]', new Blob(['one'], { type: 'image/png' }), 'a.png'],
      ['prompt', 'x'],
      ['image[]', new Blob(['two\0\xff']), 'b.png'],
      ['mask', new Blob(['three'])],
    )
    expect(await post(given)).toEqual({
      status: 200,
      fields: { prompt: 'x' },
      files: [
        { field: 'image', filename: 'a.png', media_type: 'image/png', data: 'one' },
        {
          field: 'image',
          filename: 'b.png',
          media_type: 'application/octet-stream',
          data: Buffer.from('two\0\xff').toString('latin1'),
        },
        { field: 'mask', filename: 'blob', media_type: 'application/octet-stream', data: 'three' },
      ],
    })
  })

  it.each([
    ['../../etc/cron.d/x', 'x'],
    ['/etc/passwd', 'passwd'],
    ['C:\\windows\\x.exe', 'x.exe'],
    ['a\u202eb.png', 'ab.png'],
    ['..', undefined],
    ['n'.repeat(400), 'n'.repeat(255)],
  ])('named %j lose what could lead elsewhere', async (filename, shown) => {
    const head = `--abc\r\nContent-Disposition: form-data; name="file"; filename="${filename.replaceAll('\\', '\\\\')}"\r\n\r\n`
    const { files } = (await raw(`${head}x\r\n--abc--\r\n`)) as unknown as { files: { filename?: string }[] }
    expect(files[0]?.filename).toBe(shown)
  })

  it('that a browser left empty are not there', async () => {
    const empty =
      '--abc\r\nContent-Disposition: form-data; name="file"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--abc--\r\n'
    expect(await raw(empty)).toMatchObject({ status: 200, files: [] })
  })
})

describe('limits', () => {
  const blob = (bytes: number) => new Blob([new Uint8Array(bytes)])

  it('of each kind are told apart', async () => {
    expect(await post(form(['file', blob(2 ** 20 + 1)]))).toMatchObject({
      status: 413,
      message: expect.stringContaining("'file'"),
    })
    expect(await post(form(['prompt', 'x'.repeat(1001)]))).toMatchObject({ status: 413, param: 'prompt' })
    expect(await post(form(...[1, 2, 3, 4].map((at): [string, Blob] => [`f${at}`, blob(1)])))).toMatchObject({
      status: 400,
      message: 'The form has more than 3 files.',
    })
    expect(await post(form(...Array.from({ length: 11 }, (_, at): [string, string] => [`f${at}`, 'x'])))).toMatchObject(
      {
        status: 400,
        message: 'The form has more than 10 fields.',
      },
    )
    expect(await post(form(['f'.repeat(300), 'x']))).toMatchObject({ status: 400 })
  })

  it('of the whole hold for what is not announced', async () => {
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(2 ** 20), Buffer.from('\r\n')])
    const answer = await exchange(port.url, (send) => {
      send(
        'POST / HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=abc\r\ntransfer-encoding: chunked\r\n\r\n',
      )
      for (let megabytes = 0; megabytes < 20; megabytes++) send(chunk)
    })
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
  })

  it('end an upload that stops arriving', async () => {
    const head =
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=abc\r\ncontent-length: 100\r\n\r\n--abc'
    expect(await exchange(port.url, (send) => send(head))).toMatch(/^HTTP\/1.1 408 /)
  })
})

describe('malformed forms', () => {
  const part = 'Content-Disposition: form-data; name="a"'

  it.each([
    ['no part', '--abc--\r\n'],
    ['no boundary', 'hello'],
    ['no end', `--abc\r\n${part}\r\n\r\nx`],
    ['a broken header', '--abc\r\nContent-Disposition\r\n\r\nx\r\n--abc--\r\n'],
    [
      'a NUL in a name',
      '--abc\r\nContent-Disposition: form-data; name="f"; filename="a\0.png"\r\n\r\nx\r\n--abc--\r\n',
    ],
    ['no name', '--abc\r\nContent-Disposition: form-data\r\n\r\nx\r\n--abc--\r\n'],
    ['nothing', ''],
  ])('with %s are a 400', async (_what, body) => {
    expect(await raw(body)).toMatchObject({ status: 400, code: 'invalid_request' })
  })

  it('of another type, or without a usable boundary, are refused', async () => {
    expect(await post('{}', { 'content-type': 'application/json' })).toMatchObject({ status: 415 })
    for (const boundary of ['', '-'.repeat(71), 'a{b']) expect(await raw('', boundary)).toMatchObject({ status: 400 })
    expect(await post('x', { 'content-type': 'multipart/form-data' })).toMatchObject({ status: 400 })
  })

  const dashes = Buffer.alloc(10_000_000, '-')
  it.each([
    ['after the boundary', 'abc', '--abc'],
    ['after the end', 'abc', '--abc--\r\n'],
    ['in the headers', 'abc', '--abc\r\n'],
    ['in a file', 'abc', `--abc\r\n${part}; filename="x"\r\n\r\n`],
    ['in a boundary of dashes', '-'.repeat(70), `--${'-'.repeat(70)}\r\n${part}; filename="x"\r\n\r\n`],
    [
      'after a boundary that is nearly dashes',
      `a${'-'.repeat(69)}`,
      `--a${'-'.repeat(69)}\r\n${part}; filename="x"\r\n\r\n`,
    ],
  ])('of ten million dashes %s are refused in less than 100 ms of CPU', async (_where, boundary, head) => {
    const { status } = await raw(Buffer.concat([Buffer.from(head), dashes]), boundary)
    expect([400, 413]).toContain(status)
    expect(cpu_ms).toBeLessThan(100)
  })
})
