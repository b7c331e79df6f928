// Whatever is thrown becomes an answer in the caller's own error format. Unknown errors become a plain 500: what they
// say goes to the log, never to the caller.
import { HttpError } from 'koa'
import { ZodError } from 'zod'
import { Failure, failureOf } from '../flow/failure.ts'
import { linger } from './body_bytes.ts'
import type { Context, Middleware } from './context.ts'
import { errorEnvelope, errorHeaders } from './envelope.ts'
import { RequestError } from './request_error.ts'

/** Right after the request context, so that everything else is inside. */
export const errors: Middleware = async (context, next) => {
  try {
    await next()
  } catch (error) {
    answerWith(context, asFailure(error))
  }
}

// What a handler may have promised of an answer that now is an error.
const PROMISED = ['content-disposition', 'content-range', 'accept-ranges', 'cache-control', 'etag', 'last-modified']

function answerWith(context: Context, failure: Failure): void {
  const { request } = context.state
  request.error_code = failure.code
  if (failure.status >= 500) request.error = failure.cause ?? failure
  if (context.headerSent) {
    // Too late to say anything: an answer that breaks off must not look whole.
    request.error = failure.cause ?? failure
    context.res.destroy()
    return
  }
  // Whoever is refused at the door must not go on sending for ever.
  if (!context.req.complete) linger(context.req)
  for (const name of PROMISED) context.remove(name)
  context.set(errorHeaders(failure))
  // Koa refuses statuses outside the registry, and 499 (the caller left) is one.
  const registered = failure.status === 499 ? 400 : failure.status
  context.status = registered
  context.body = errorEnvelope(request.error_format, failure, request.id)
  if (registered !== failure.status) context.res.statusCode = failure.status
}

/** Every error that a request can meet, as a Failure. */
export function asFailure(error: unknown): Failure {
  if (error instanceof RequestError) {
    const { status, code, message, param } = error
    return new Failure(status, code, message, param === undefined ? {} : { param })
  }
  if (error instanceof ZodError) return failureOfZod(error)
  // Koa and the router throw these for requests that they cannot read (a broken %-escape in the path).
  if (error instanceof HttpError && error.expose)
    return new Failure(error.status, error.status === 404 ? 'not_found' : 'invalid_request', sentence(error.message))
  return failureOf(error)
}

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`)

/** The first fault of a body or query: which field, what it should have been. */
function failureOfZod(error: ZodError): Failure {
  const [issue] = error.issues
  if (!issue) return new Failure(400, 'invalid_request', 'The request is not valid.')
  const path = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys
    const field = cut(path ? `${path}.${key}` : key)
    return new Failure(400, 'unknown_parameter', `Unknown field '${field}'. Leave it out.`, { param: field })
  }
  const missing = issue.code === 'invalid_type' && / undefined$/.test(issue.message)
  const code = missing ? 'missing_required_parameter' : 'invalid_value'
  const message = missing
    ? `'${cut(path)}' is required.`
    : `${path ? `'${cut(path)}': ` : ''}${sentence(issue.message)}`
  return new Failure(400, code, message, path ? { param: cut(path) } : {})
}

/** Names of fields come from outside and go into messages. */
const cut = (name: string) => (name.length > 100 ? `${name.slice(0, 100)}…` : name)
