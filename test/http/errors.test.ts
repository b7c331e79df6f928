// How failures look to a caller: OpenAI's envelope, the headers that steer SDKs, and nothing of our insides.
import { request } from 'node:http'
import OpenAI from 'openai'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ProviderError } from '../../src/contract.ts'
import { Failure } from '../../src/flow/failure.ts'
import type { Context } from '../../src/http/context.ts'
import { RequestError } from '../../src/http/request_error.ts'
import { StoreUnavailable } from '../../src/ledger/writes.ts'
import { type Served, serve, until } from '../support/serve.ts'

let served: Served | undefined
afterEach(async () => {
  await served?.close()
  served = undefined
})

async function answerTo(error: unknown) {
  served = await serve(async () => {
    throw error
  })
  const response = await fetch(`${served.url}/v1/anything?key=sk-in-the-query`)
  const body = (await response.json()) as { error: Record<string, unknown> }
  return { status: response.status, headers: response.headers, error: body.error, body }
}

describe('the envelope', () => {
  it('has all four keys, and the facts beside them', async () => {
    const facts = { needed_usd: '0.040000000', available_usd: '0.010000000' }
    const { status, error, headers } = await answerTo(
      new Failure(402, 'insufficient_credits', 'Too little credit.', { facts }),
    )
    expect(status).toBe(402)
    expect(error).toEqual({
      message: 'Too little credit.',
      type: 'insufficient_quota',
      param: null,
      code: 'insufficient_credits',
      ...facts,
    })
    expect(headers.get('x-should-retry')).toBe('false')
  })

  it.each([
    [400, 'invalid_request_error'],
    [401, 'invalid_request_error'],
    [403, 'permission_error'],
    [404, 'invalid_request_error'],
    [409, 'invalid_request_error'],
    [413, 'invalid_request_error'],
    [429, 'rate_limit_error'],
    [502, 'server_error'],
  ])('calls a %i a %s', async (code, type) => {
    const { status, error } = await answerTo(new Failure(code, 'some_code', 'Some message.'))
    expect([status, error.type]).toEqual([code, type])
  })

  it('names the parameter of a request that cannot be read', async () => {
    const { status, error } = await answerTo(new RequestError(413, 'request_too_large', 'Too large.', 'file'))
    expect([status, error.code, error.param]).toEqual([413, 'request_too_large', 'file'])
  })

  it('answers 499 where a caller canceled, though no registry knows that status', async () => {
    const { status, error } = await answerTo(new ProviderError('canceled', 'The job was canceled.'))
    expect([status, error.code]).toEqual([499, 'canceled'])
  })

  it('passes on what a provider says only where the fault is the caller’s', async () => {
    const policy = await answerTo(new ProviderError('content_policy', 'This prompt is refused.'))
    expect(policy.error.message).toBe('This prompt is refused.')
    await served?.close()
    const secret = await answerTo(new ProviderError('authentication', 'Key sk-ours-123 was refused.'))
    expect(secret.status).toBe(502)
    expect(JSON.stringify(secret.body)).not.toContain('sk-ours')
  })
})

describe('what went wrong inside', () => {
  it('is a plain 500 to the caller and a stack in the log', async () => {
    const { status, body, headers } = await answerTo(new Error('secret detail of the configuration'))
    expect(status).toBe(500)
    expect(JSON.stringify(body)).not.toMatch(/secret|at .*\.ts/)
    expect(headers.get('x-should-retry')).toBe('false')
    const line = await until('the line of the request', () => served?.lines[0])
    expect(line).toMatchObject({ status: 500, error_code: 'internal_error', request_id: headers.get('x-request-id') })
    expect(JSON.stringify(line.error)).toContain('secret detail')
    expect(JSON.stringify(line)).not.toContain('sk-in-the-query')
  })

  it('keeps documents and headers that hang on errors out of the log', async () => {
    await answerTo(Object.assign(new Error('boom'), { headers: { authorization: 'Bearer sk-ours' } }))
    const line = await until('the line of the request', () => served?.lines[0])
    expect(JSON.stringify(line)).not.toContain('sk-ours')
  })

  it('is a 503 that may be tried again when the store is silent', async () => {
    const { status, error, headers } = await answerTo(new StoreUnavailable('silent'))
    expect([status, error.code]).toEqual([503, 'store_unavailable'])
    expect(headers.get('retry-after')).toBe('2')
    expect(headers.get('retry-after-ms')).toBe('2000')
    expect(headers.get('x-should-retry')).toBeNull()
  })
})

describe('bodies that do not fit', () => {
  const schema = z.strictObject({ name: z.string(), nested: z.strictObject({ age: z.number() }).optional() })
  const refusal = async (value: unknown) => (await answerTo(schema.safeParse(value).error)).error

  it('are told the unknown field', async () => {
    expect(await refusal({ name: 'a', role: 'admin' })).toMatchObject({
      code: 'unknown_parameter',
      param: 'role',
      message: "Unknown field 'role'. Leave it out.",
    })
  })

  it('are told the unknown field within a field', async () => {
    expect(await refusal({ name: 'a', nested: { age: 1, $where: '1' } })).toMatchObject({ param: 'nested.$where' })
  })

  it('are told the missing field', async () => {
    expect(await refusal({})).toMatchObject({ code: 'missing_required_parameter', param: 'name' })
  })

  it('are told the field that is wrong', async () => {
    expect(await refusal({ name: 7 })).toMatchObject({ code: 'invalid_value', param: 'name' })
  })

  it('are refused with a prototype in them', async () => {
    expect(await refusal(JSON.parse('{"name":"a","__proto__":{"isAdmin":true}}'))).toMatchObject({
      code: 'unknown_parameter',
      param: '__proto__',
    })
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
  })
})

describe('the official SDK', () => {
  async function triesOf(failure: Failure) {
    let tries = 0
    served = await serve(async () => {
      tries++
      throw failure
    })
    const client = new OpenAI({ apiKey: 'sk', baseURL: `${served.url}/v1` })
    const error = await client.models.list().catch((reason: unknown) => reason)
    return { tries, error: error as InstanceType<typeof OpenAI.APIError> }
  }

  it('does not repeat a conflict that no repetition mends', async () => {
    const { tries, error } = await triesOf(new Failure(409, 'job_not_finished', 'It still runs.'))
    expect(tries).toBe(1)
    expect(error).toBeInstanceOf(OpenAI.ConflictError)
    expect([error.code, error.type, error.requestID?.slice(0, 4)]).toEqual([
      'job_not_finished',
      'invalid_request_error',
      'req_',
    ])
  })

  it('repeats a limit that passes, after the time given', async () => {
    const { tries } = await triesOf(new Failure(429, 'rate_limit_exceeded', 'Slower.', { retry_after_ms: 5 }))
    expect(tries).toBe(3)
  })

  it('does not repeat what lacks credit', async () => {
    expect((await triesOf(new Failure(402, 'insufficient_credits', 'No credit.'))).tries).toBe(1)
  })
})

describe('an answer that has begun', () => {
  it('breaks off instead of looking whole', async () => {
    served = await serve(async (context: Context) => {
      context.respond = false
      context.res.write('half')
      throw new Error('boom')
    })
    await expect(fetch(served.url).then((response) => response.text())).rejects.toThrow()
    expect(await until('the line', () => served?.lines[0])).toMatchObject({ cut: true })
  })
})

describe('the Host header', () => {
  const statusFor = async (host: string) => {
    served ??= await serve(async (context) => {
      context.body = 'ok'
    })
    const { port } = served
    return new Promise((resolve, reject) =>
      request({ port, path: '/', headers: { host } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end(),
    )
  }

  it.each(['evil/../admin?', 'a@b', 'a b', '[::1', 'host:port'])('is refused as %s', async (host) => {
    expect(await statusFor(host)).toBe(400)
  })

  it.each(['localhost', 'localhost:8080', '127.0.0.1:1', '[::1]:8080', 'router.example.com'])(
    'is taken as %s',
    async (host) => {
      expect(await statusFor(host)).toBe(200)
    },
  )
})
