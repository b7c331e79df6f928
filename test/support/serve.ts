// A real Koa application on a port of its own, with the middlewares that every request passes.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { type Logger, pino } from 'pino'
import { Metrics } from '../../src/flow/metrics.ts'
import { type Middleware, requestContext, type State } from '../../src/http/context.ts'
import { errors } from '../../src/http/errors.ts'
import { saneHost } from '../../src/http/host.ts'
import { makeLog } from '../../src/http/log.ts'

export interface Served {
  url: string
  port: number
  /** The lines of the log so far, parsed. */
  lines: Record<string, unknown>[]
  close(): Promise<void>
}

export const quiet: Logger = pino({ level: 'silent' })

export async function serve(...middlewares: Middleware[]): Promise<Served> {
  const lines: Record<string, unknown>[] = []
  const log = makeLog('debug', { write: (line: string) => void lines.push(JSON.parse(line)) })
  const app = new Koa<State, object>()
  app.silent = true
  app.use(requestContext(log, new Metrics())).use(errors).use(saneHost)
  for (const middleware of middlewares) app.use(middleware)
  const server = createServer(app.callback())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    lines,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Waits for what happens soon; fails with `what` if it does not. */
export async function until<Result>(what: string, look: () => Result | undefined | false): Promise<Result> {
  const end = Date.now() + 5000
  for (;;) {
    const found = look()
    if (found) return found
    if (Date.now() > end) throw new Error(`It did not happen: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
