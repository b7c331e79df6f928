// Standard Webhooks against the standard's own library and the SDKs of vendors who use it, in both directions.
import OpenAI from 'openai'
import { validateWebhook } from 'replicate'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { isWebhookSecret, newWebhookSecret, signWebhook, verifyWebhook } from '../../src/protocols/standard_webhooks.ts'

const secret = newWebhookSecret()
const body = JSON.stringify({ type: 'job.completed', data: { text: 'Zürich 🚆' } })
const timestamp = Math.floor(Date.now() / 1000)
const message = { id: 'job_1:completed:wh_1', timestamp, body }
const delivery = (headers: Record<string, string>, text = body) => ({ headers, body: Buffer.from(text) })

describe('what we sign', () => {
  it('is taken by the library of the standard, by OpenAI’s SDK and by Replicate’s', async () => {
    const headers = signWebhook([secret], message)
    expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body))
    const openai = new OpenAI({ apiKey: 'none', webhookSecret: secret })
    expect(await openai.webhooks.unwrap(body, headers)).toEqual(JSON.parse(body))
    const [id, time, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headers[name])
    expect(await validateWebhook({ id, timestamp: time, signature, body, secret } as never)).toBe(true)
  })

  it('is taken with the old and with the new secret during a rotation', () => {
    const fresh = newWebhookSecret()
    const headers = signWebhook([fresh, secret], message)
    for (const each of [secret, fresh]) expect(new Webhook(each).verify(body, headers)).toBeTruthy()
    expect(() => new Webhook(newWebhookSecret()).verify(body, headers)).toThrow()
  })
})

describe('what we verify', () => {
  const signed = (at = new Date()) => ({
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign('msg_1', at, body),
  })

  it('is genuine by any of the secrets, and by any of the signatures', () => {
    expect(verifyWebhook([secret], delivery(signed()))).toBe(true)
    expect(verifyWebhook([newWebhookSecret(), secret], delivery(signed()))).toBe(true)
    const several = { ...signed(), 'webhook-signature': `v1a,xyz v1,AAAA ${signed()['webhook-signature']} v2,x` }
    expect(verifyWebhook([secret], delivery(several))).toBe(true)
  })

  it.each([
    ['another body', () => delivery(signed(), `${body} `)],
    ['another id', () => delivery({ ...signed(), 'webhook-id': 'msg_2' })],
    ['another time', () => delivery({ ...signed(), 'webhook-timestamp': String(timestamp - 10) })],
    ['a time that is none', () => delivery({ ...signed(), 'webhook-timestamp': `${timestamp}.0` })],
    ['no headers', () => delivery({})],
    ['no signature', () => delivery({ ...signed(), 'webhook-signature': '' })],
    [
      'another version',
      () => delivery({ ...signed(), 'webhook-signature': signed()['webhook-signature'].replace('v1', 'v2') }),
    ],
    [
      'half a signature',
      () => delivery({ ...signed(), 'webhook-signature': signed()['webhook-signature'].slice(0, 20) }),
    ],
    ['another secret', () => delivery(signWebhook([newWebhookSecret()], message))],
    ['a delivery of six minutes ago', () => delivery(signed(new Date(Date.now() - 360_000)))],
    ['a delivery from the future', () => delivery(signed(new Date(Date.now() + 360_000)))],
  ])('is refused with %s', (_what, make) => {
    expect(verifyWebhook([secret], make())).toBe(false)
  })

  it('is fresh for five minutes either way', () => {
    for (const away_ms of [-295_000, 295_000])
      expect(verifyWebhook([secret], delivery(signed()), Date.now() + away_ms)).toBe(true)
  })

  it.each([[[]], [['']], [['whsec_']], [['secret']], [[secret, '']]])(
    'accepts nothing with the secrets %j',
    (secrets) => {
      expect(() => verifyWebhook(secrets, delivery(signed()))).toThrow(/secret/)
      for (const each of secrets) if (each !== secret) expect(isWebhookSecret(each)).toBe(false)
    },
  )
})
