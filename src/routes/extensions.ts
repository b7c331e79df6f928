// Our own additions to the request bodies of other people's formats: taken out before the rest goes on its way.
import { z } from 'zod'
import type { Json, JsonObject } from '../contract.ts'
import { Failure } from '../flow/failure.ts'

export interface Extensions {
  max_cost_usd?: string
  /** Where the end of the job is told. */
  webhook_url?: string
}

/** Known, and not served yet: refused by name, because nothing that a caller asks for is dropped in silence. */
const NOT_YET = ['models', 'cache']

const provider = z.string().regex(/^[a-z][a-z0-9-]*$/)

/** The body without our extensions. A `provider` pins the model to it. Throws Failure. */
export function takeExtensions(whole: JsonObject): { body: JsonObject; extensions: Extensions } {
  const { max_cost_usd, webhook_url, provider: pinned, ...body } = whole
  const refused = NOT_YET.find((name) => body[name] !== undefined)
  if (refused) throw new Failure(400, 'unsupported_parameter', `'${refused}' is not supported yet.`, { param: refused })
  if (pinned !== undefined) body.model = `${readProvider(pinned)}:${modelBeside(body.model)}`
  return {
    body,
    extensions: {
      ...(max_cost_usd !== undefined && { max_cost_usd: readText('max_cost_usd', max_cost_usd, COST) }),
      ...(webhook_url !== undefined && { webhook_url: readText('webhook_url', webhook_url, ADDRESS) }),
    },
  }
}

const COST = 'a string with an amount in USD, like "0.05"'
const ADDRESS = 'a string with an address, like "https://example.com/hook"'

function readText(param: string, value: Json, what: string): string {
  if (typeof value === 'string') return value
  throw new Failure(400, 'invalid_type', `${param} must be ${what}.`, { param })
}

function modelBeside(model: unknown): string {
  if (model !== undefined && model !== null) return String(model)
  const message = "'provider' says who serves the model that the same request names: give a 'model' too."
  throw new Failure(400, 'missing_required_parameter', message, { param: 'model' })
}

function readProvider(value: unknown): string {
  const read = provider.safeParse(value)
  if (read.success) return read.data
  throw new Failure(400, 'invalid_value', '\'provider\' must be the id of one provider, like "groq".', {
    param: 'provider',
  })
}
