// Standard Webhooks 1.0.0: signs what we send out, and verifies what providers of that scheme send us. Pure but for the
// clock and fresh secrets.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** What is older, or further in the future, may be a replay. */
const TOLERANCE_S = 300
const SECRET_BYTES = 32
/** Senders sign once for each secret while they rotate; nobody has more than a few. */
const SIGNATURES_MAX = 20
const SECRET = /^whsec_[A-Za-z0-9+/]{4,}={0,2}$/

export interface WebhookMessage {
  /** The same for every try; without a full stop, which parts it from the time. */
  id: string
  /** Unix seconds. */
  timestamp: number
  /** Exactly the bytes that are sent. */
  body: string | Uint8Array
}

/** `whsec_` and 32 random bytes in base64. */
export const newWebhookSecret = (): string => `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`

/** Whether a text can be a secret at all: for the settings of a provider. An empty one would let everybody sign. */
export const isWebhookSecret = (text: string): boolean => SECRET.test(text)

/** The three headers. Every secret signs, so that receivers may know the old or the new one during a rotation. */
export function signWebhook(secrets: readonly string[], message: WebhookMessage): Record<string, string> {
  return {
    'webhook-id': message.id,
    'webhook-timestamp': String(message.timestamp),
    'webhook-signature': secrets.map((secret) => `v1,${digest(secret, message).toString('base64')}`).join(' '),
  }
}

/**
 * Whether a delivery is genuine and fresh, by any of the secrets. `headers` in lower case, `body` as it came. Constant in
 * time for each secret. Throws an Error for what is no secret: that is the operator's mistake, and accepts nothing.
 */
export function verifyWebhook(
  secrets: readonly string[],
  { headers, body }: { headers: Record<string, string>; body: Uint8Array },
  now_ms: number = Date.now(),
): boolean {
  const { 'webhook-id': id = '', 'webhook-timestamp': time = '', 'webhook-signature': signatures = '' } = headers
  if (secrets.length === 0) throw new Error('There is no webhook secret to verify with.')
  if (id === '' || !/^\d{1,12}$/.test(time)) return false
  const timestamp = Number(time)
  const wanted = secrets.map((secret) => digest(secret, { id, timestamp: time, body }))
  const given = signatures.split(' ', SIGNATURES_MAX).flatMap((text) => {
    const [version, base64 = ''] = text.split(',', 2)
    return version === 'v1' ? [Buffer.from(base64, 'base64')] : []
  })
  // All are compared, so that the time does not tell which secret it was.
  const matches = given.flatMap((each) => wanted.map((one) => each.length === one.length && timingSafeEqual(each, one)))
  return matches.includes(true) && Math.abs(now_ms / 1000 - timestamp) <= TOLERANCE_S
}

function digest(
  secret: string,
  { id, timestamp, body }: { id: string; timestamp: number | string; body: string | Uint8Array },
): Buffer {
  if (!isWebhookSecret(secret)) throw new Error('A webhook secret must be whsec_ and base64.')
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest()
}
