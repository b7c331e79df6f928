// Verifies fal's webhooks: Ed25519 over the ids, the time and the body's digest, with keys that fal publishes as a JWKS.
// https://docs.fal.ai/model-apis/model-endpoints/webhooks (2026-11-21)
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { z } from 'zod'
import type { Call, Generator } from '../../contract.ts'
import { askFal, type FalServer, readFal, restUrl } from './http.ts'

/** fal asks that the keys be kept, and for a day at most. */
const KEYS_KEPT_MS = 24 * 3_600_000
/** A signature that fits none may be of a new key: but forgers must not make us ask for every one of theirs. */
const KEYS_ASKED_AGAIN_MS = 5 * 60_000
const TOLERANCE_S = 300

const Keys = z.looseObject({
  keys: z.array(z.looseObject({ kty: z.string(), crv: z.string().nullish(), x: z.string() })),
})

/** `now` tells the time in milliseconds. */
export function falWebhook(server: FalServer, now = Date.now): NonNullable<Generator<never, never>['webhook']> {
  let kept: { keys: KeyObject[]; at: number } | undefined

  async function keys(call: Call, at_most_ms: number): Promise<KeyObject[]> {
    if (!kept || now() - kept.at > at_most_ms) kept = { keys: await fetchKeys(server, call), at: now() }
    return kept.keys
  }

  return async ({ headers, body }, call) => {
    const signed = readSigned(headers, body, now())
    if (!signed) return false
    const fits = (all: KeyObject[]) => all.some((key) => verify(null, signed.message, key, signed.signature))
    return fits(await keys(call, KEYS_KEPT_MS)) || fits(await keys(call, KEYS_ASKED_AGAIN_MS))
  }
}

function readSigned(headers: Record<string, string>, body: Uint8Array, now_ms: number) {
  const [request_id, user_id, timestamp, signature] = ['request-id', 'user-id', 'timestamp', 'signature'].map(
    (name) => headers[`x-fal-webhook-${name}`],
  )
  if (!request_id || !user_id || !timestamp || !signature) return undefined
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now_ms / 1000 - Number(timestamp)) > TOLERANCE_S) return undefined
  if (!/^[0-9a-f]{128}$/i.test(signature)) return undefined
  const digest = createHash('sha256').update(body).digest('hex')
  return {
    message: Buffer.from([request_id, user_id, timestamp, digest].join('\n')),
    signature: Buffer.from(signature, 'hex'),
  }
}

async function fetchKeys(server: FalServer, { signal }: Call): Promise<KeyObject[]> {
  const url = `${restUrl(server)}/.well-known/jwks.json`
  const { keys } = readFal(Keys, await askFal(server, 'GET', url, { signal }))
  return keys
    .filter(({ kty, crv }) => kty === 'OKP' && crv === 'Ed25519')
    .map(({ x }) => createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }))
}
