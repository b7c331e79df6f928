// Pictures from a provider of OpenAI's own format: what it said reaches the caller byte for byte, but for the cost.
import type OpenAI from 'openai'
import { toFile } from 'openai'
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { json, Stub, sse } from '../providers/stub.ts'
import { clientOf, costOf, errorOf, eventually, get, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

const stub = new Stub()
let router: TestRouter
let client: OpenAI
let png: string
beforeAll(async () => {
  await stub.start()
  router = await testRouter({ OPENAI_API_KEY: 'sk-stub', OPENAI_BASE_URL: `${stub.url}/v1` })
  client = clientOf(router)
  const picture = sharp({ create: { width: 64, height: 64, channels: 3, background: '#08f' } })
  png = (await picture.png().toBuffer()).toString('base64')
})
beforeEach(() => {
  stub.seen.length = 0
})
afterAll(async () => {
  await router.close()
  await stub.stop()
})

const asked = {
  model: 'openai/gpt-image-1-mini',
  prompt: 'a heron',
  size: '1024x1024' as const,
  quality: 'low' as const,
}
/** 10 tokens in at $2 and 272 out at $8 a million. */
const usage = {
  input_tokens: 10,
  input_tokens_details: { text_tokens: 10, image_tokens: 0 },
  output_tokens: 272,
  total_tokens: 282,
}
const COST = '0.002196000'
const answer = (more: object = {}) => ({
  created: 1795000000,
  data: [{ b64_json: png, revised_prompt: 'a "usage": bird' }],
  usage,
  ...more,
})

describe('an answer in JSON', () => {
  it('is the provider’s own text, with the cost in its usage and in the header', async () => {
    const text = ` {"created":1795000000,"future_field":[1.0, {"usage":{}}],\n"data":[{"b64_json":"${png}"}],"usage":${JSON.stringify(usage)}, "size":"1024x1024"} `
    stub.answer = (response) => response.writeHead(200, { 'content-type': 'application/json' }).end(text)
    const spent = await costOf(router, async () => {
      const response = await post(router, '/images/generations', { ...asked, moderation: 'low', future: { a: 1 } })
      const cost = { ...usage, cost: 0.002196 }
      expect(await response.text()).toBe(text.replace(JSON.stringify(usage), JSON.stringify(cost)))
      expect(response.headers.get('x-cost-usd')).toBe(COST)
      expect(response.headers.get('x-job-id')).toMatch(/^job_/)
    })
    expect(spent).toBe(COST)
    expect(JSON.parse(stub.seen[0]?.body.toString() ?? '')).toEqual({
      ...asked,
      model: 'gpt-image-1-mini',
      n: 1,
      moderation: 'low',
      future: { a: 1 },
    })
    expect(stub.seen[0]?.headers['idempotency-key']).toMatch(/^job_/)
  })

  it('takes the usage before the pictures, and puts one in where there is none', async () => {
    const { usage: _, ...rest } = answer()
    stub.answer = json({ usage, ...rest })
    expect((await client.images.generate(asked)).usage).toEqual({ ...usage, cost: 0.002196 })
    stub.answer = json({ data: [{ b64_json: png }] })
    const spent = await costOf(router, async () => {
      expect((await client.images.generate(asked)).usage).toMatchObject({ total_tokens: 0 })
    })
    expect(Number(spent)).toBeGreaterThanOrEqual(0)
  })

  it('is the same whichever way the network cuts it', async () => {
    const text = JSON.stringify(answer())
    stub.answer = async (response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      for (let at = 0; at < text.length; at += 97) {
        response.write(text.slice(at, at + 97))
        await new Promise((resolve) => setImmediate(resolve))
      }
      response.end()
    }
    expect((await client.images.generate(asked)).data).toEqual(answer().data)
  })

  it('keeps the files and gives addresses for response_format url', async () => {
    stub.answer = json(answer())
    const made = await client.images.generate({ ...asked, response_format: 'url' })
    const file = await fetch(made.data?.[0]?.url ?? '', { headers: { authorization: `Bearer ${router.api_key}` } })
    expect(Buffer.from(await file.arrayBuffer()).toString('base64')).toBe(png)
    expect(made.usage).toEqual({ ...usage, cost: 0.002196 })
  })

  it('goes on as a form where pictures are edited', async () => {
    stub.answer = json(answer())
    const image = await toFile(Buffer.from(png, 'base64'), 'a.png', { type: 'image/png' })
    await client.images.edit({ ...asked, image: [image, image], input_fidelity: 'low' })
    const form = stub.seen[0]?.body.toString('latin1') ?? ''
    expect(stub.seen[0]?.path).toBe('/v1/images/edits')
    expect(form.match(/name="image\[\]"/g)).toHaveLength(2)
    expect(form).toContain('name="input_fidelity"\r\n\r\nlow')
  })

  it('is stored for a caller who hung up, and charged', async () => {
    const aborting = new AbortController()
    stub.answer = async (response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{"data":')
      aborting.abort()
      await new Promise((resolve) => setTimeout(resolve, 150))
      response.end(`[{"b64_json":"${png}"}],"usage":${JSON.stringify(usage)}}`)
    }
    const spent = await costOf(router, async () => {
      await expect(client.images.generate(asked, { signal: aborting.signal })).rejects.toThrow()
      const url = await eventually(async () => {
        const { data } = (await (await get(router, '/jobs?limit=1')).json()) as {
          data: { outputs: { url: string }[] }[]
        }
        return data[0]?.outputs[0]?.url
      })
      const file = await get(router, url.replace('/v1', ''))
      expect(Buffer.from(await file.arrayBuffer()).toString('base64')).toBe(png)
    })
    expect(spent).toBe(COST)
  })

  it.each([
    ['is cut off', '{"data":[{"b64_json":"QUJD'],
    ['is no JSON', '<html>busy</html>'],
    ['has no picture', '{"created":1,"data":[]}'],
    ['is an error in disguise', '{"error":{"message":"at https://internal.example/x"}}'],
  ])('that %s is a clean 502 and costs nothing', async (_, text) => {
    stub.answer = (response) => response.writeHead(200, { 'content-type': 'application/json' }).end(text)
    const spent = await costOf(router, async () => {
      const error = await errorOf(await post(router, '/images/generations', asked))
      expect(error).toMatchObject({ status: 502, code: 'provider_error' })
      expect(error.message).not.toContain('internal.example')
    })
    expect(spent).toBe('0.000000000')
  })

  it('whose connection breaks is a clean 502 and costs nothing', async () => {
    stub.answer = (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100_000 })
      response.write('{"data":[{"b64_json":"QUJD', () => response.destroy())
    }
    const spent = await costOf(router, async () => {
      expect(await errorOf(await post(router, '/images/generations', asked))).toMatchObject({ status: 502 })
    })
    expect(spent).toBe('0.000000000')
  })

  it('that refuses the caller’s words is the caller’s own 400', async () => {
    const error = { message: 'Your request was rejected.', type: 'invalid_request_error', code: 'moderation_blocked' }
    stub.answer = json({ error }, 400)
    await expect(client.images.generate(asked)).rejects.toMatchObject({ status: 400, code: 'content_policy_violation' })
  })
})

describe('a stream', () => {
  const event = (stage: string, more: object) => {
    const type = `image_generation.${stage}`
    const facts = {
      created_at: 1795000000,
      size: '1024x1024',
      quality: 'low',
      background: 'opaque',
      output_format: 'png',
    }
    return `event: ${type}\ndata: ${JSON.stringify({ type, b64_json: png, ...facts, ...more })}\n\n`
  }
  const partial = event('partial_image', { partial_image_index: 0 })
  const ask = { ...asked, stream: true as const, partial_images: 1 }

  it('is the provider’s own, with the cost in the usage of its last event', async () => {
    stub.answer = sse(partial + event('completed', { usage }), 500)
    const spent = await costOf(router, async () => {
      const response = await post(router, '/images/generations', ask)
      expect(await response.text()).toBe(partial + event('completed', { usage: { ...usage, cost: 0.002196 } }))
    })
    expect(spent).toBe(COST)
    expect(JSON.parse(stub.seen[0]?.body.toString() ?? '')).toMatchObject({ stream: true, partial_images: 1 })
  })

  it('of two pictures charges both, and tells it with the second', async () => {
    stub.answer = sse(event('completed', { usage }) + event('completed', { usage }))
    const spent = await costOf(router, async () => {
      const events = []
      for await (const each of await client.images.generate({ ...ask, n: 2 })) events.push(each)
      expect(events.map((each) => 'usage' in each && each.usage)).toEqual([usage, { ...usage, cost: 0.004392 }])
    })
    expect(spent).toBe('0.004392000')
  })

  it('of a caller who hung up is kept with the job, and charged', async () => {
    stub.answer = async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(partial)
      await new Promise((resolve) => setTimeout(resolve, 250))
      response.end(event('completed', { usage }))
    }
    const leaving = new AbortController()
    const spent = await costOf(router, async () => {
      const stream = await client.images.generate(ask, { signal: leaving.signal })
      for await (const _ of stream) leaving.abort()
      const url = await eventually(async () => {
        const { data } = (await (await get(router, '/jobs?limit=1')).json()) as {
          data: { outputs: { url: string }[] }[]
        }
        return data[0]?.outputs[0]?.url
      })
      const file = await get(router, url.replace('/v1', ''))
      expect(Buffer.from(await file.arrayBuffer()).toString('base64')).toBe(png)
    })
    expect(spent).toBe(COST)
  })

  it('that begins with an error is an ordinary refusal', async () => {
    const error = { message: 'no', type: 'invalid_request_error', code: 'moderation_blocked' }
    stub.answer = sse(`event: error\ndata: ${JSON.stringify({ type: 'error', error })}\n\n`)
    await expect(client.images.generate(ask)).rejects.toMatchObject({ status: 400, code: 'content_policy_violation' })
  })

  it.each([
    ['breaks off', ''],
    ['turns into an error', `data: ${JSON.stringify({ error: { message: 'boom', type: 'server_error' } })}\n\n`],
  ])('that %s after its first event ends with an error event and costs nothing', async (_, rest) => {
    stub.answer = sse(partial + rest, partial.length)
    const spent = await costOf(router, async () => {
      const text = await (await post(router, '/images/generations', ask)).text()
      expect(text.startsWith(partial)).toBe(true)
      expect(JSON.parse(text.slice(partial.length).replace(/^data: /, ''))).toMatchObject({
        error: { code: 'provider_error' },
      })
    })
    expect(spent).toBe('0.000000000')
  })

  it('is made of JSON from servers that know no streams', async () => {
    stub.answer = json(answer())
    const events = []
    for await (const each of await client.images.generate(ask)) events.push(each)
    expect(events).toMatchObject([{ type: 'image_generation.completed', b64_json: png, usage: { cost: 0.002196 } }])
  })
})
