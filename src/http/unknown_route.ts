// The end of the list: a path that no route knows, or a method that it does not take. It says what was perhaps meant.
import { Failure } from '../flow/failure.ts'
import type { ApiRouter, Middleware } from './context.ts'

interface Documented {
  method: string
  path: string
}

/** After all routers. Answers 404 with the nearest route, 405 with Allow, and OPTIONS with 204 and Allow. */
export function unknownRoute(routers: ApiRouter[]): Middleware {
  const documented = routers.flatMap(({ stack }) =>
    stack.flatMap(({ path, methods }) => {
      const method = methods.findLast((name) => name !== 'HEAD')
      return typeof path === 'string' && method ? [{ method, path }] : []
    }),
  )
  return async (context) => {
    const { path, method } = context
    const layers = routers.flatMap(({ stack }) =>
      stack.filter((layer) => layer.methods.length > 0 && layer.match(path)),
    )
    if (layers.length === 0) throw notFound(method, path, documented)
    const allowed = [...new Set(layers.flatMap(({ methods }) => methods))].sort()
    context.set('allow', [...allowed, 'OPTIONS'].join(', '))
    if (method !== 'OPTIONS')
      throw new Failure(405, 'method_not_allowed', `${method} is not possible here. Use ${allowed.join(' or ')}.`)
    context.status = 204
  }
}

function notFound(method: string, path: string, documented: Documented[]): Failure {
  const near = nearest(method, path, documented)
  const hint = near ? ` Perhaps you mean ${near.method} ${near.path}.` : ''
  return new Failure(404, 'unknown_route', `There is no ${method} ${cut(path)}.${hint} GET /docs shows every route.`)
}

const cut = (path: string) => (path.length > 100 ? `${path.slice(0, 100)}…` : path)

/** What was perhaps meant: a base URL without /v1 or with it twice, a slash too many, a singular, a wrong method. */
function nearest(method: string, path: string, documented: Documented[]): Documented | undefined {
  const asked = segments(path)
  const alike = documented.filter((route) => {
    const known = segments(route.path)
    return (
      asked.length > 0 && known.length === asked.length && known.every((each, place) => near(each, asked[place] ?? ''))
    )
  })
  return alike.find((route) => route.method === method) ?? alike[0]
}

const near = (known: string, asked: string) =>
  known.startsWith(':') || known === asked || known === `${asked}s` || `${known}s` === asked

const segments = (path: string) =>
  path
    .toLowerCase()
    .split('/', 20)
    .filter((segment) => segment !== '' && segment !== 'v1')
