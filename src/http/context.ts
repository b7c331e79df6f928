// The request's own record: its id, clock and logger, and at the end one structured line in the log. Prompts, secrets
// and query strings never enter it.
import type { Router, RouterContext } from '@koa/router'
import type { Next, ParameterizedContext } from 'koa'
import type { Logger } from 'pino'
import { newId } from '../flow/ids.ts'
import type { Metrics } from '../flow/metrics.ts'
import type { Caller } from '../flow/services.ts'

/** The wire format in which errors are told, known from the first moment: a refused key is told in it too. */
export type ErrorFormat = 'openai' | 'anthropic' | 'gemini'

export interface RequestContext {
  /** `req_…`: ours, answered as `x-request-id`. */
  id: string
  log: Logger
  /** On the clock of performance.now(), as are all durations here. */
  started_ms: number
  error_format: ErrorFormat
  /** From the start to the first byte of the answer's body. Streams set it. */
  first_byte_ms?: number
  job_id?: string
  model?: string
  provider?: string
  /** Nine places. */
  cost_usd?: string
  error_code?: string
  /** What went wrong inside: for the log, never for the caller. */
  error?: unknown
}

export interface State {
  request: RequestContext
  /** Set by requireCaller and requireAdmin; there on every route behind them, and only there. */
  caller: Caller
}

export type Context = ParameterizedContext<State, object>
export type Middleware = (context: Context, next: Next) => Promise<void>
export type ApiRouter = Router<State, object>
/** What a handler behind the router gets: with `params`. */
export type RouteContext = RouterContext<State, object>

// A caller's own id is only ever logged, and only where it cannot break a line or a search.
const SANE_ID = /^[\w.:/-]{1,128}$/

/** First in the list: everything after it can log, and is logged. */
export function requestContext(log: Logger, metrics: Metrics): Middleware {
  return async (context, next) => {
    const id = newId('req')
    const theirs = context.get('x-request-id')
    const request: RequestContext = {
      id,
      log: log.child({ request_id: id, ...(SANE_ID.test(theirs) && { caller_request_id: theirs }) }),
      started_ms: performance.now(),
      error_format: errorFormatOf(context),
    }
    context.state.request = request
    context.set('x-request-id', id)
    // Where Anthropic's clients look for it.
    if (request.error_format === 'anthropic') context.set('request-id', id)
    context.res.once('close', () => {
      metrics.request(statusOf(context))
      writeLine(context)
    })
    await next()
    request.first_byte_ms ??= elapsed(request)
  }
}

/** By the path; on paths that vendors share, Anthropic's clients tell their version. */
function errorFormatOf(context: Context): ErrorFormat {
  const { path } = context
  if (path.startsWith('/v1beta/')) return 'gemini'
  if (path === '/v1/messages' || path.startsWith('/v1/messages/')) return 'anthropic'
  return path.startsWith('/v1/models') && context.get('anthropic-version') !== '' ? 'anthropic' : 'openai'
}

/** Milliseconds since the request began, to a tenth. */
export const elapsed = ({ started_ms }: RequestContext): number =>
  Math.round((performance.now() - started_ms) * 10) / 10

function writeLine(context: Context) {
  const { request } = context.state
  const caller = context.state.caller as Caller | undefined
  const { log, job_id, model, provider, cost_usd, first_byte_ms, error_code, error } = request
  const status = statusOf(context)
  const line = {
    method: context.method,
    route: routeOf(context),
    status,
    latency_ms: elapsed(request),
    first_byte_ms,
    // The answer broke off: the caller left, or the router cut it.
    ...(!context.res.writableFinished && { cut: true }),
    key_id: caller?.key_id,
    job: job_id,
    model,
    provider,
    cost_usd,
    error_code,
    ...(error !== undefined && { error }),
  }
  if (status >= 500) log.error(line, 'request')
  else log.info(line, 'request')
}

/** 499, as nginx has it, for a caller who left before there was an answer. */
const statusOf = ({ res: response }: Context): number => (response.headersSent ? response.statusCode : 499)

/** The pattern that matched, never the path itself: ids belong to fields, and a wrong path may be anything. */
function routeOf(context: Context): string {
  const { _matchedRoute: route } = context as Partial<RouteContext>
  return route === undefined ? 'unknown' : String(route)
}
