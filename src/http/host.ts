// Refuses a request whose head two servers could read in two ways: a Host that is none or comes twice, a body in a coding
// beside chunks. Nothing here routes or decides by them, and nothing shall come to.
import { Failure } from '../flow/failure.ts'
import type { Middleware } from './context.ts'

const HOST = /^(?:[\w.-]{1,255}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i

/** What is worse (two lengths, a length beside chunks, bare line feeds) Node's own parser refuses. */
export const saneHost: Middleware = async (context, next) => {
  const { headersDistinct: headers } = context.req
  const { host = [], 'transfer-encoding': codings = ['chunked'] } = headers
  if (host.length > 1 || !host.every((each) => HOST.test(each)))
    throw new Failure(400, 'invalid_host', 'The Host header is not a host name with an optional port.')
  if (codings.join().toLowerCase() !== 'chunked')
    throw new Failure(
      400,
      'invalid_request',
      'Send the body with a content-length, or with transfer-encoding: chunked.',
    )
  await next()
}
