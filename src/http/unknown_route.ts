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

/** The commonest mistakes first: a base URL without /v1, or with it twice, or a slash too many; then slips of the pen. */
function nearest(method: string, path: string, documented: Documented[]): Documented | undefined {
  const bare = withoutVersion(path)
  if (bare.length > 60) return undefined
  let best: { route: Documented; distance: number } | undefined
  for (const route of documented) {
    const distance = editDistance(bare, withoutVersion(route.path)) + (route.method === method ? 0 : 0.5)
    if (!best || distance < best.distance) best = { route, distance }
  }
  return best && best.distance <= Math.max(2, bare.length / 4) ? best.route : undefined
}

const withoutVersion = (path: string) =>
  path
    .toLowerCase()
    .replace(/\/+/g, '/')
    .replace(/^(?:\/v1)+(?=\/)/, '')
    .replace(/\/$/, '')

function editDistance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let row = 1; row <= from.length; row++) {
    const line = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1)
      line.push(Math.min(replaced, (above[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1))
    }
    above = line
  }
  return above[to.length] ?? 0
}
