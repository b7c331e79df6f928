// Kling: films and pictures over its API, submitted and polled under a token signed for each call.
// https://kling.ai/document-api (2026-11-21). Continuing a film (video-extend) is left out: no price of it was found.
import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { defineProvider } from '../../src/contract.ts'
import type { TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { klingVideo, Options } from './film.ts'
import { klingImage } from './picture.ts'
import { refusal } from './tasks.ts'

const TOKEN_S = 1800
/** Clocks differ a little: the token holds from five seconds ago. */
const EARLY_S = 5

/** A token of half an hour, made of the two keys (JWT, HS256). */
function tokenOf(access_key: string, secret_key: string, now_s = Math.floor(Date.now() / 1000)): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: access_key, exp: now_s + TOKEN_S, nbf: now_s - EARLY_S }
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${createHmac('sha256', secret_key).update(signed).digest('base64url')}`
}

export default defineProvider({
  contract: 1,
  name: 'Kling',
  docs: 'https://kling.ai/document-api/pricing/base/video',
  settings: z.object({
    access_key: z.string().min(1),
    secret_key: z.string().min(1),
    base_url: z.url().default('https://api-singapore.klingai.com'),
  }),
  options: Options,
  connect: ({ access_key, secret_key, base_url }, { fetch }) => {
    const headers = () => ({ authorization: `Bearer ${tokenOf(access_key, secret_key)}` })
    const server: TaskServer = { provider: 'Kling', base_url, fetch, headers, refusal }
    return { image: klingImage(server), video: klingVideo(server) }
  },
})
