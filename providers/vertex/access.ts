// Access to Google Cloud: a token given by the operator, or made of a service account's key by a signed JWT (RFC 7523) and
// kept until a minute before its end. The key leaves this file only as a signature.
import { sign } from 'node:crypto'
import { z } from 'zod'
import { ProviderError, type ProviderFetch } from '../../src/contract.ts'
import { abortError } from '../../src/protocols/network_error.ts'
import { httpError } from '../../src/protocols/status.ts'
import { readBody } from '../../src/protocols/transport.ts'

export const TOKEN_URL = 'https://oauth2.googleapis.com/token'
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** The longest that Google takes (developers.google.com/identity/protocols/oauth2/service-account: `exp`). */
const LIFE_S = 3600
const EARLY_MS = 60_000
const ANSWER_MS = 30_000
const ANSWER_BYTES_MAX = 64 * 1024

const Account = z.looseObject({
  client_email: z.string().min(1),
  private_key: z.string().min(1),
  private_key_id: z.string().optional(),
  token_uri: z.string().optional(),
})
type Account = z.infer<typeof Account>

/** The JSON of a key file. It is checked for its form here, by Google for its truth. */
export const serviceAccount = z.string().transform((text, context): Account => {
  try {
    return Account.parse(JSON.parse(text))
  } catch {
    const message = "must be the JSON of a service account's key, with client_email and private_key"
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
})

export interface AccessOptions {
  provider: string
  account: Account | undefined
  access_token: string | undefined
  token_url: string
  fetch: ProviderFetch
}

export interface Access {
  /** Throws ProviderError; 'authentication' where the key is not accepted. */
  token(signal: AbortSignal): Promise<string>
  /** It was refused: the next call makes another. */
  forget(): void
}

const Granted = z.looseObject({ access_token: z.string().min(1), expires_in: z.number().positive() })

export function makeAccess(options: AccessOptions): Access {
  const { access_token, account } = options
  let kept: { token: Promise<string>; until: number } | undefined
  async function renew(from: Account): Promise<string> {
    const { access_token: token, expires_in } = await exchange(options, from)
    if (kept) kept.until = Date.now() + expires_in * 1000 - EARLY_MS
    return token
  }
  return {
    async token(signal) {
      if (access_token !== undefined) return access_token
      if (!account) throw new ProviderError('authentication', 'There is no credential for Google Cloud.')
      if (!kept || kept.until <= Date.now()) {
        const token = renew(account)
        kept = { token, until: Date.now() + ANSWER_MS }
        token.catch(() => {
          kept = undefined
        })
      }
      return unlessAborted(kept.token, signal, options.provider)
    },
    forget() {
      kept = undefined
    },
  }
}

/** Many calls may wait for one token: that one of them is given up must not end it for the others. */
function unlessAborted(token: Promise<string>, signal: AbortSignal, provider: string): Promise<string> {
  if (signal.aborted) return Promise.reject(abortError(signal, provider))
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortError(signal, provider))
    signal.addEventListener('abort', abort, { once: true })
    token.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

async function exchange({ provider, token_url, fetch }: AccessOptions, account: Account) {
  const answer = await fetch.send({
    method: 'POST',
    url: token_url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: GRANT, assertion: assertionOf(account, provider) }).toString(),
    signal: AbortSignal.timeout(ANSWER_MS),
  })
  const text = (await readBody(answer, ANSWER_BYTES_MAX)).toString()
  // An account that is gone or whose key was withdrawn is told with 400 and `invalid_grant`.
  const status = answer.status === 400 ? 401 : answer.status
  if (status < 200 || status >= 300) throw httpError(status, answer.headers, text, provider)
  try {
    return Granted.parse(JSON.parse(text))
  } catch (cause) {
    throw new ProviderError('bad_response', `${provider} answered without a token.`, { cause })
  }
}

function assertionOf({ client_email, private_key, private_key_id, token_uri }: Account, provider: string): string {
  const issued = Math.floor(Date.now() / 1000)
  const header = { alg: 'RS256', typ: 'JWT', ...(private_key_id === undefined ? {} : { kid: private_key_id }) }
  const claims = { iss: client_email, scope: SCOPE, aud: token_uri ?? TOKEN_URL, iat: issued, exp: issued + LIFE_S }
  const [head, body] = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  try {
    const signature = sign('RSA-SHA256', Buffer.from(`${head}.${body}`), private_key)
    return `${head}.${body}.${signature.toString('base64url')}`
  } catch (cause) {
    throw new ProviderError('authentication', `The service account's key for ${provider} cannot be read.`, { cause })
  }
}
