// Lets in who has a key: callers to /v1, admins to /api/v1. It never says why a key is refused.

import { checkAddress } from '../flow/account/allow.ts'
import type { Callers } from '../flow/account/callers.ts'
import { Failure } from '../flow/failure.ts'
import type { Context, Middleware } from './context.ts'
import { withRateHeaders } from './limits.ts'

/** Longer ones are nobody's: refused before they are hashed. */
const KEY_LENGTH_MAX = 1024

/** Puts the caller into `context.state.caller`; for every route that spends or shows an account's credit. */
export function requireCaller(callers: Callers): Middleware {
  return async (context, next) => {
    const caller = await identify(context, callers)
    if (!caller.account_id) {
      throw new Failure(
        401,
        'invalid_api_key',
        "This is the site's admin key, which has no account: use a caller's key here, from POST /api/v1/keys.",
      )
    }
    checkAddress(caller, context.ip)
    context.state.caller = withRateHeaders(context, caller)
    await next()
  }
}

/** For everything under /api/v1. */
export function requireAdmin(callers: Callers): Middleware {
  return async (context, next) => {
    const caller = await identify(context, callers)
    if (caller.kind !== 'admin')
      throw new Failure(403, 'permission_denied', 'Only an admin key may do this; this is the key of a caller.')
    context.state.caller = caller
    await next()
  }
}

async function identify(context: Context, callers: Callers) {
  const key = keyOf(context)
  const caller = key !== undefined && key.length <= KEY_LENGTH_MAX ? await callers.identify(key) : undefined
  if (caller) return caller
  throw new Failure(
    401,
    'invalid_api_key',
    'No valid API key. Send one as "Authorization: Bearer sk-sw-…" (or x-api-key, or x-goog-api-key).',
  )
}

/** In the order in which the SDKs of OpenAI, Anthropic and Google send it. */
export function keyOf(context: Context): string | undefined {
  const { headers } = context.req
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization?.slice(0, KEY_LENGTH_MAX + 10) ?? '')?.[1]
  return bearer ?? single(headers['x-api-key']) ?? single(headers['x-goog-api-key']) ?? queryKey(context)
}

/** Google's API takes the key in the query too, as many a curl line does. Nowhere else, for queries get into logs of proxies. */
const queryKey = ({ path, query }: Context) => (path.startsWith('/v1beta/') ? single(query.key) : undefined)

const single = (value: string | string[] | undefined) => (typeof value === 'string' && value !== '' ? value : undefined)
