// Refuses a request whose Host header is no host: nothing here routes or decides by it, and nothing shall come to.
import { Failure } from '../flow/failure.ts'
import type { Middleware } from './context.ts'

const HOST = /^(?:[\w.-]{1,255}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i

export const saneHost: Middleware = async (context, next) => {
  const { host } = context.req.headers
  if (host !== undefined && !HOST.test(host))
    throw new Failure(400, 'invalid_host', 'The Host header is not a host name with an optional port.')
  await next()
}
