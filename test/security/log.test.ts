// What the log says of a whole run, at its most talkative: everything that happened, and no key, no signature, no secret,
// no prompt and no file name. And what adapters throw that should not: the caller hears of no inside.
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { makeLog } from '../../src/http/log.ts'
import { Caller, chatBody, Site } from '../flow/site.ts'
import { wav } from '../media/samples.ts'
import { plate } from '../painters/site.ts'
import { json, Stub } from '../providers/stub.ts'
import { type Receiver, receiver } from '../support/receiver.ts'

const KEYS = {
  TRAITOR_API_KEY: 'sk-proj-Tra1torSecretKey0123456789abcdefXYZ',
  OPENAI_API_KEY: 'sk-proj-0penAi5ecretKey0123456789abcdefXYZ',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00',
  ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
}

let site: Site
let caller: Caller
let lines: string[]
let place: Receiver
let stub: Stub
beforeAll(async () => {
  lines = []
  place = await receiver()
  stub = await new Stub().start()
  site = await Site.open({
    environment: {
      ...KEYS,
      AWS_ACCESS_KEY_ID: 'AKIA',
      OPENAI_BASE_URL: `${stub.url}/v1`,
      PROVIDERS_DIR: join(import.meta.dirname, 'providers'),
      PRICING_DIR: join(import.meta.dirname, 'pricing'),
      WEBHOOK_ALLOWED_HOSTS: '127.0.0.1',
      PUBLIC_URL: 'https://router.example',
    },
    log: makeLog('trace', { write: (line) => void lines.push(line) }),
  })
  caller = await site.caller('20.00')
})
afterAll(async () => {
  await site.close()
  await Promise.all([place.close(), stub.stop()])
})
beforeEach(() => {
  lines.length = 0
})

const SECRET = 'Xylophone-Quarterly-Merger'

describe('the log', () => {
  it('has no key, signature, secret, prompt, answer or file name of a whole run in it', async () => {
    const admin = new Caller(site, site.admin_key)
    const secrets: string[] = [
      SECRET,
      caller.key,
      site.admin_key,
      ...Object.values(KEYS),
      Buffer.alloc(32, 7).toString('base64'),
    ]
    const webhook = await caller.json<{ id: string; secret: string }>('/v1/webhooks', {
      url: `${place.url}?token=${SECRET}`,
      description: SECRET,
    })
    const rotated = await caller.json<{ secret: string }>(`/v1/webhooks/${webhook.id}/rotate`, {})
    const own = await caller.json<{ secret: string }>('/v1/webhooks/secret')
    secrets.push(webhook.secret, rotated.secret, own.secret)
    const made = await admin.json<{ id: string; key: string }>('/api/v1/keys', {
      user_id: await userId(admin),
      name: SECRET,
    })
    secrets.push(made.key)

    const picture = `data:image/png;base64,${await plate(64, 64)}`
    const later = { headers: { prefer: 'respond-async' } }
    await caller.chat(SECRET)
    await (await caller.stream(SECRET)).readUntil()
    await caller.chat(`${SECRET} [[fail:unavailable]]`)
    await caller.chat(`${SECRET} [[cut]]`)
    const leaving = await caller.stream(`${SECRET} [[tokens:150]] [[delay:5ms]]`)
    await leaving.readLength(300)
    leaving.leave()
    const jobs = [
      await caller.send('/v1/responses', {
        model: 'sandbox/chat',
        input: SECRET,
        instructions: SECRET,
        background: true,
      }),
      await caller.send('/v1/chat/completions', chatBody(SECRET), later),
      await caller.send(
        '/v1/images/generations',
        { model: 'sandbox/image', prompt: SECRET, size: '64x64', webhook_url: `${place.url}?key=${SECRET}` },
        later,
      ),
      await caller.send('/v1/videos', {
        model: 'sandbox/video',
        prompt: SECRET,
        seconds: '4',
        input_reference: { image_url: picture },
      }),
    ]
    await caller.send('/v1/messages', {
      model: 'sandbox/chat',
      max_tokens: 20,
      system: SECRET,
      messages: [{ role: 'user', content: SECRET }],
    })
    await caller.send(`/v1beta/models/sandbox/chat:generateContent?key=${caller.key}`, {
      contents: [{ role: 'user', parts: [{ text: SECRET }] }],
    })
    await caller.send(`/v1/${SECRET}?api_key=${caller.key}`)
    await caller.send('/v1/audio/speech', { model: 'sandbox/speech', voice: 'alloy', input: SECRET })
    await caller.send('/v1/embeddings', { model: 'sandbox/embed', input: SECRET })
    await caller.send('/v1/images/edits', {
      model: 'sandbox/image',
      prompt: SECRET,
      images: [{ image_url: `https://u:${SECRET}@example.com/${SECRET}` }],
    })
    const form = new FormData()
    form.set('model', 'sandbox/transcribe')
    form.set('prompt', SECRET)
    form.set('file', new Blob([new Uint8Array(wav)]), `${SECRET}.wav`)
    await caller.send('/v1/audio/transcriptions', form)
    await caller.request('/v1/chat/completions', undefined, {
      method: 'POST',
      headers: { authorization: `Bearer ${SECRET}`, 'x-request-id': SECRET.repeat(9) },
    })
    stub.answer = json({ error: { message: `Incorrect API key provided: ${KEYS.OPENAI_API_KEY}` } }, 401)
    await caller.send('/v1/chat/completions', {
      model: 'openai/gpt-5-mini',
      messages: [{ role: 'user', content: SECRET }],
    })
    await caller.send(`/hooks/openai/job_${'0'.repeat(26)}/${SECRET}`, { a: SECRET })
    for (const { job_id } of jobs) {
      const job = await caller.jobWhen(job_id)
      const { searchParams } = new URL(String(job.outputs[0]?.url), site.url)
      secrets.push(String(searchParams.get('signature')))
      await fetch(new URL(String(job.outputs[0]?.url), site.url)).then((answer) => answer.arrayBuffer())
    }
    await place.until(10)
    await admin.json('/api/v1/verify', {})
    await admin.json('/api/v1/reload', {})

    expect(lines.length).toBeGreaterThan(30)
    const log = lines.join('')
    for (const secret of secrets) expect(log).not.toContain(secret)
    expect(log).not.toMatch(/whsec_|signature=|[?&]key=|\/hooks\/openai\//)
    expect(log).not.toContain('You said')
  }, 60_000)

  async function userId(admin: Caller): Promise<string> {
    const { data } = await admin.json<{ data: { id: string; account_id: string }[] }>('/api/v1/users')
    return data.find(({ account_id }) => account_id === caller.account_id)?.id ?? ''
  }
})

describe('an adapter that throws what it should not', () => {
  const PROMPTS = ['error', 'text', 'object', 'nothing', 'caused', 'words']

  it.each(PROMPTS)(
    '(%s) is a plain failure to the caller, with an id to ask by, and no secret in the log',
    async (prompt) => {
      const { settled_usd } = await caller.credits()
      const calls: [string, object][] = [
        ['/v1/chat/completions', { model: 'traitor/chat', messages: [{ role: 'user', content: prompt }] }],
        [
          '/v1/chat/completions',
          { model: 'traitor/chat', messages: [{ role: 'user', content: prompt }], stream: true },
        ],
        ['/v1/messages', { model: 'traitor/chat', max_tokens: 9, messages: [{ role: 'user', content: prompt }] }],
        ['/v1beta/models/traitor/chat:generateContent', { contents: [{ role: 'user', parts: [{ text: prompt }] }] }],
        ['/v1/responses', { model: 'traitor/chat', input: prompt }],
        ['/v1/images/generations', { model: 'traitor/picture', prompt }],
        [
          '/v1/chat/completions',
          { model: 'traitor/chat', messages: [{ role: 'user', content: `late ${prompt}` }], stream: true },
        ],
      ]
      for (const [path, body] of calls) {
        const answer = await caller.send(path, body)
        const late = JSON.stringify(body).includes('late')
        expect([path, answer.status]).toEqual([path, late ? 200 : 500])
        expect(answer.headers.get('x-request-id')).toMatch(/^req_/)
        expect(answer.text).toMatch(/error/)
        const shown = answer.text + (await caller.send(`/v1/jobs/${answer.job_id}`)).text
        expect(shown).not.toContain(KEYS.TRAITOR_API_KEY)
        expect(shown).not.toMatch(/\.ts:\d|node_modules|at async|inside\.example|TypeError|authorization/)
      }
      const queued = await caller.send(
        '/v1/images/generations',
        { model: 'traitor/picture', prompt },
        { headers: { prefer: 'respond-async' } },
      )
      const job = await caller.jobWhen(queued.json.id)
      expect([job.status, JSON.stringify(job).includes(KEYS.TRAITOR_API_KEY)]).toEqual(['failed', false])
      expect(lines.join('')).not.toContain(KEYS.TRAITOR_API_KEY)
      expect(await caller.credits()).toMatchObject({ held_usd: '0.000000000', settled_usd })
    },
  )
})
