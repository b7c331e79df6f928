// Pictures through the official SDK, made by the sandbox: formats, addresses, streams, jobs, refusals, and their price.

import type OpenAI from 'openai'
import { toFile } from 'openai'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientOf, costOf, errorOf, eventually, get, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

let router: TestRouter
let client: OpenAI
beforeAll(async () => {
  router = await testRouter()
  client = clientOf(router)
})
afterAll(() => router.close())

const asked = { model: 'sandbox/image', prompt: 'a heron', size: '128x64' as '1024x1024' }
const bytesOf = (b64_json: string | undefined) => Buffer.from(b64_json ?? '', 'base64')
const squarePng = (color: string) =>
  sharp({ create: { width: 64, height: 64, channels: 4, background: color } })
    .png()
    .toBuffer()

describe('POST /v1/images/generations', () => {
  it('gives pictures as base64, and charges one cent for each', async () => {
    const spent = await costOf(router, async () => {
      const { data: answer, response } = await client.images.generate({ ...asked, n: 2 }).withResponse()
      expect(answer).toMatchObject({ size: '128x64', output_format: 'png', usage: { total_tokens: 0, cost: 0.02 } })
      expect(answer.data).toHaveLength(2)
      expect(await sharp(bytesOf(answer.data?.[1]?.b64_json)).metadata()).toMatchObject({
        format: 'png',
        width: 128,
        height: 64,
      })
      expect(response.headers.get('x-cost-usd')).toBe('0.020000000')
      expect(response.headers.get('x-job-id')).toMatch(/^job_/)
    })
    expect(spent).toBe('0.020000000')
  })

  it('makes the format that was asked for', async () => {
    for (const output_format of ['webp', 'jpeg'] as const) {
      const answer = await client.images.generate({ ...asked, output_format, output_compression: 60 })
      expect(answer.output_format).toBe(output_format)
      expect((await sharp(bytesOf(answer.data?.[0]?.b64_json)).metadata()).format).toBe(output_format)
    }
  })

  it('gives an absolute address of a file that it keeps, for response_format url', async () => {
    const answer = await client.images.generate({ ...asked, response_format: 'url' })
    const url = answer.data?.[0]?.url ?? ''
    expect(url).toMatch(new RegExp(`^${router.base_url}/jobs/job_\\w+/outputs/0\\?expires=\\d+&signature=`))
    expect(answer.data?.[0]?.b64_json).toBeUndefined()
    const file = await fetch(url, { headers: { authorization: `Bearer ${router.api_key}` } })
    expect(file.headers.get('content-type')).toBe('image/png')
    expect((await sharp(Buffer.from(await file.arrayBuffer())).metadata()).width).toBe(128)
  })

  it('streams unfinished pictures, then the finished one with its cost', async () => {
    const spent = await costOf(router, async () => {
      const stream = await client.images.generate({ ...asked, stream: true, partial_images: 2 })
      const events = []
      for await (const event of stream) events.push(event)
      expect(events.map(({ type }) => type)).toEqual([
        'image_generation.partial_image',
        'image_generation.partial_image',
        'image_generation.completed',
      ])
      expect(events[1]).toMatchObject({ partial_image_index: 1, output_format: 'png', size: '128x64' })
      expect(events[2]).toMatchObject({ usage: { cost: 0.01 }, background: 'auto', quality: 'auto' })
      expect((await sharp(bytesOf(events[2]?.b64_json)).metadata()).width).toBe(128)
    })
    expect(spent).toBe('0.010000000')
  })

  it('names each event of a stream on its own line too', async () => {
    const response = await post(router, '/images/generations', { ...asked, stream: true })
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    expect(await response.text()).toMatch(
      /^event: image_generation\.completed\ndata: \{"type":"image_generation\.completed"/,
    )
  })

  it('answers 202 and the job to Prefer: respond-async, and keeps the pictures', async () => {
    const response = await post(
      router,
      '/images/generations',
      { ...asked, n: 2, output_format: 'webp' },
      { prefer: 'respond-async' },
    )
    expect(response.status).toBe(202)
    const { id } = (await response.json()) as { id: string }
    const job = await eventually(async () => {
      const view = (await (await get(router, `/jobs/${id}`)).json()) as {
        status: string
        outputs: unknown[]
        billing: object
      }
      return view.status === 'completed' ? view : undefined
    })
    expect(job.outputs).toHaveLength(2)
    expect(job.outputs[1]).toMatchObject({ type: 'image', media_type: 'image/webp', width: 128, height: 64 })
    expect(job.billing).toMatchObject({ cost_usd: '0.020000000' })
  })

  it('keeps the pictures of a caller who hung up, and charges them', async () => {
    const aborting = new AbortController()
    const spent = costOf(router, async () => {
      const slow = { ...asked, prompt: 'slow [[delay:1s]]' }
      const answer = expect(client.images.generate(slow, { signal: aborting.signal })).rejects.toThrow()
      await eventually(async () => {
        const { data } = (await (await get(router, '/jobs?limit=1')).json()) as { data: { status: string }[] }
        return data[0] && data[0].status !== 'completed' ? true : undefined
      })
      aborting.abort()
      await answer
      const job = await eventually(async () => {
        const { data } = (await (await get(router, '/jobs?limit=1')).json()) as {
          data: { status: string; outputs: { url: string }[] }[]
        }
        return data[0]?.status === 'completed' ? data[0] : undefined
      })
      const file = await get(router, (job.outputs[0]?.url ?? '').replace('/v1', ''))
      expect(file.status).toBe(200)
    })
    expect(await spent).toBe('0.010000000')
  })

  it('refuses what it does not take, names the field, and charges nothing', async () => {
    const cases: [object, string, string][] = [
      [{ model: undefined }, 'missing_required_parameter', 'model'],
      [{ prompt: undefined }, 'missing_required_parameter', 'prompt'],
      [{ prompt: 'x'.repeat(32_001) }, 'invalid_value', 'prompt'],
      [{ n: 0 }, 'invalid_value', 'n'],
      [{ n: 11 }, 'invalid_value', 'n'],
      [{ n: '2' }, 'invalid_value', 'n'],
      [{ size: '64x640' }, 'invalid_request', 'size'],
      [{ output_format: 'tiff' }, 'invalid_value', 'output_format'],
      [{ output_compression: 101 }, 'invalid_value', 'output_compression'],
      [{ background: 'blue' }, 'invalid_value', 'background'],
      [{ partial_images: 4, stream: true }, 'invalid_value', 'partial_images'],
      [{ stream: true, response_format: 'url' }, 'unsupported_parameter', 'response_format'],
      [{ style: 'vivid' }, 'unknown_parameter', 'style'],
      [{ api_base: 'http://x' }, 'unknown_parameter', 'api_base'],
      [{ max_cost_usd: '0.005' }, 'max_cost_exceeded', 'max_cost_usd'],
    ]
    const spent = await costOf(router, async () => {
      for (const [change, code, param] of cases) {
        const error = await errorOf(await post(router, '/images/generations', { ...asked, ...change }))
        expect(error, JSON.stringify(change)).toMatchObject({ status: 400, code, param })
      }
    })
    expect(spent).toBe('0.000000000')
  })

  it('lets a name of the user pass everywhere', async () => {
    await expect(client.images.generate({ ...asked, user: 'ada' })).resolves.toHaveProperty('data')
  })

  it('charges nothing when the provider fails, before and within a stream', async () => {
    const spent = await costOf(router, async () => {
      const failing = { ...asked, prompt: '[[fail:content_policy]]' }
      await expect(client.images.generate(failing)).rejects.toMatchObject({
        status: 400,
        code: 'content_policy_violation',
      })
      await expect(client.images.generate({ ...failing, stream: true })).rejects.toMatchObject({ status: 400 })
    })
    expect(spent).toBe('0.000000000')
  })
})

describe('POST /v1/images/edits', () => {
  it('takes one file or several, and a mask, as forms', async () => {
    const red = await toFile(await squarePng('#f00'), 'red.png', { type: 'image/png' })
    const blue = await toFile(await squarePng('#00f'), 'blue.png', { type: 'image/png' })
    const spent = await costOf(router, async () => {
      const one = await client.images.edit({ ...asked, image: red, mask: blue })
      const two = await client.images.edit({ ...asked, image: [red, blue], n: 2 })
      expect([one.data?.length, two.data?.length]).toEqual([1, 2])
    })
    expect(spent).toBe('0.030000000')
  })

  it('takes JSON with data: URLs', async () => {
    const url = `data:image/png;base64,${(await squarePng('#0f0')).toString('base64')}`
    for (const image of [{ image: url }, { images: [{ image_url: url }, { image_url: url }] }]) {
      const response = await post(router, '/images/edits', { ...asked, ...image })
      expect(response.status).toBe(200)
    }
  })

  it('streams the events of an edit', async () => {
    const image = await toFile(await squarePng('#fff'), 'white.png', { type: 'image/png' })
    const stream = await client.images.edit({ ...asked, image, stream: true, partial_images: 1 })
    const types = []
    for await (const { type } of stream) types.push(type)
    expect(types).toEqual(['image_edit.partial_image', 'image_edit.completed'])
  })

  it('refuses a program that is named as a picture, and charges nothing', async () => {
    const elf = Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01', 'latin1'), Buffer.alloc(4000)])
    const spent = await costOf(router, async () => {
      const answer = client.images.edit({ ...asked, image: await toFile(elf, 'cat.png', { type: 'image/png' }) })
      await expect(answer).rejects.toMatchObject({ status: 415, code: 'wrong_file_type', param: 'image' })
    })
    expect(spent).toBe('0.000000000')
  })

  it('refuses an edit without a picture, a file in a field that takes none, and an address within the network', async () => {
    expect(await errorOf(await post(router, '/images/edits', asked))).toMatchObject({ status: 400, param: 'image' })
    const form = new FormData()
    form.append('model', 'sandbox/image')
    form.append('prompt', 'x')
    form.append('markup', new Blob([await squarePng('#fff')]), 'markup.png')
    const headers = { authorization: `Bearer ${router.api_key}` }
    const stray = await fetch(`${router.base_url}/images/edits`, { method: 'POST', headers, body: form })
    expect(await errorOf(stray)).toMatchObject({ status: 400, param: 'markup' })
    const inside = await post(router, '/images/edits', { ...asked, image: 'http://127.0.0.1:1/secret.png' })
    expect(await errorOf(inside)).toMatchObject({ status: 400, code: 'unsafe_url', param: 'image' })
  })
})
