// The Idempotency-Key of a request that moves money: the same key moves it once, however often it is sent.
import { Failure } from '../flow/failure.ts'
import type { Context } from '../http/context.ts'

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/

export function idempotencyKey(context: Context): string | undefined {
  const key = context.get('idempotency-key')
  if (key === '') return undefined
  if (IDEMPOTENCY_KEY.test(key)) return key
  throw new Failure(400, 'invalid_value', 'Idempotency-Key must be 1 to 255 printable characters without spaces.', {
    param: 'Idempotency-Key',
  })
}
