// Tokens for Google Cloud: one for many calls, a new one when it is over or refused, and a plain word where the key is wrong.
import { generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { makeAccess } from '../../../providers/vertex/access.ts'
import vertex from '../../../providers/vertex/index.ts'
import type { ProviderError } from '../../../src/contract.ts'
import { makeProviderFetch } from '../../../src/protocols/transport.ts'
import { json, Stub } from '../stub.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const account = {
  client_email: 'router@acme.iam.gserviceaccount.com',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
}

let stub: Stub
let fetch: ReturnType<typeof makeProviderFetch>
beforeEach(async () => {
  stub = await new Stub().start()
  fetch = makeProviderFetch({ provider: 'Vertex AI' })
})
afterEach(async () => {
  vi.useRealTimers()
  await fetch.close()
  await stub.stop()
})

const access = (private_key = account.private_key) =>
  makeAccess({
    provider: 'Vertex AI',
    account: { ...account, private_key },
    access_token: undefined,
    token_url: `${stub.url}/token`,
    fetch,
  })
const { signal } = new AbortController()
const failure = (work: Promise<unknown>) =>
  work.then(
    () => expect.unreachable('it did not fail'),
    (error: ProviderError) => error,
  )

describe('a token', () => {
  it('is asked for once by many calls, and again a minute before its end', async () => {
    let made = 0
    stub.answer = (response, seen) => json({ access_token: `token-${++made}`, expires_in: 3600 })(response, seen)
    const tokens = access()
    expect(await Promise.all([tokens.token(signal), tokens.token(signal)])).toEqual(['token-1', 'token-1'])
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_530_000 })
    expect(await tokens.token(signal)).toEqual('token-1')
    vi.setSystemTime(Date.now() + 20_000)
    expect(await tokens.token(signal)).toEqual('token-2')
  })

  it('is asked for again after it was refused', async () => {
    let made = 0
    stub.answer = (response, seen) => json({ access_token: `token-${++made}`, expires_in: 3600 })(response, seen)
    const tokens = access()
    await tokens.token(signal)
    tokens.forget()
    expect(await tokens.token(signal)).toBe('token-2')
  })

  it('that is refused is the operator’s fault, and the next call asks anew', async () => {
    stub.answer = json({ error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }, 400)
    const tokens = access()
    const error = await failure(tokens.token(signal))
    expect([error.kind, error.message]).toEqual(['authentication', 'Vertex AI refused our credential.'])
    stub.answer = json({ access_token: 'token-1', expires_in: 3600 })
    expect(await tokens.token(signal)).toBe('token-1')
  })

  it('cannot be made with a key that is none, and the key is not told', async () => {
    const error = await failure(access('-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----').token(signal))
    expect(error.kind).toBe('authentication')
    expect(`${error.message} ${JSON.stringify(error.detail)}`).not.toContain('hush')
    expect(stub.seen).toEqual([])
  })

  it('goes on being made for others when the call that began it is given up', async () => {
    let release = () => {}
    stub.answer = (response, seen) => {
      release = () => json({ access_token: 'token-1', expires_in: 3600 })(response, seen)
    }
    const tokens = access()
    const gone = new AbortController()
    const first = failure(tokens.token(gone.signal))
    const second = tokens.token(signal)
    await vi.waitUntil(() => stub.seen.length > 0)
    gone.abort()
    expect((await first).kind).toBe('canceled')
    release()
    expect(await second).toBe('token-1')
    expect(stub.seen.length).toBe(1)
  })
})

describe('the settings', () => {
  const read = (values: object) => vertex.settings.safeParse({ project: 'acme', ...values })

  it('need a key or a token', () => {
    expect(read({}).error?.issues[0]?.path).toEqual(['service_account'])
    expect(read({ access_token: 'ya29.token' }).success).toBe(true)
  })

  it('say what a key file must look like, and not what is in it', () => {
    const { error } = read({ service_account: '{"private_key":"hush"}' })
    expect(error?.issues[0]?.message).toContain('client_email and private_key')
    expect(error?.message).not.toContain('hush')
  })
})
