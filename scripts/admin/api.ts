// The admin API for the command line: of the router that runs, or, where none does, of the same routes on the store
// itself. Either way one and the same code does the work.
import { join } from 'node:path'
import { type Config, ConfigError } from '../../src/config.ts'
import { FIRST_RUN_FILE, readFirstRun } from '../../src/flow/account/first_run_file.ts'

/** What went wrong, in words for whoever typed the command. */
export class CommandError extends Error {
  override name = 'CommandError'
}

export type Json = Record<string, unknown>

export interface AdminApi {
  /** `path` begins with /api/v1. Throws CommandError with the API's own message. */
  call(method: string, path: string, body?: Json, headers?: Record<string, string>): Promise<Json>
  close(): Promise<void>
}

const LOOK_MS = 3000

export async function openAdminApi(config: Config): Promise<AdminApi> {
  const known = await readFirstRun(join(config.data_dir, FIRST_RUN_FILE))
  const url = known?.base_url.replace(/\/v1$/, '') ?? `http://${config.host}:${config.port}`
  if (!(await answers(url))) return withoutRouter(config, url)
  const key = config.admin_key ?? known?.admin_key
  if (!key) throw new CommandError(`A router runs at ${url}, but its admin key is not known here: set ADMIN_KEY.`)
  return { call: caller(url, key), close: async () => undefined }
}

/** Any answer in our form will do: a router that is starting or stopping owns the store as well. */
async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(LOOK_MS) })
    return response.headers.get('x-request-id')?.startsWith('req_') === true
  } catch {
    return false
  }
}

async function withoutRouter(config: Config, url: string): Promise<AdminApi> {
  // Loaded only now: it is most of the router, and takes as long to load.
  const { DataFolderInUse, serveAdminApi } = await import('./own_api.ts')
  try {
    const own = await serveAdminApi(config)
    return { call: caller(own.url, own.key), close: own.close }
  } catch (error) {
    if (!(error instanceof DataFolderInUse)) throw error
    throw new CommandError(`${error.message}\nNo router answers at ${url}: it may be starting, or PORT may be another.`)
  }
}

function caller(url: string, key: string): AdminApi['call'] {
  return async (method, path, body, headers = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const answer = (await response.json().catch(() => ({}))) as Json & { error?: { message?: string } }
    if (response.ok) return answer
    if (response.status === 401) throw new CommandError(`The router at ${url} refuses the admin key: set ADMIN_KEY.`)
    throw new CommandError(answer.error?.message ?? `The router answered with status ${response.status}.`)
  }
}

/** What the operator reads of an error, without a stack where the words are ours. */
export function wordsFor(error: unknown): string {
  if (error instanceof CommandError) return error.message
  if (error instanceof ConfigError) return `The configuration cannot be used:\n${error.message}`
  return error instanceof Error ? error.message : String(error)
}
