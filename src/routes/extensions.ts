// Our own additions to the request bodies of other people's formats: taken out before the rest goes on its way.
import { z } from 'zod'
import type { JsonObject } from '../contract.ts'
import { Failure } from '../flow/failure.ts'

export interface Extensions {
  max_cost_usd?: string
}

/** Known, and not served yet: refused by name, because nothing that a caller asks for is dropped in silence. */
const NOT_YET = ['models', 'webhook_url', 'cache']

const provider = z.string().regex(/^[a-z][a-z0-9-]*$/)

/** The body without our extensions. A `provider` pins the model to it. Throws Failure. */
export function takeExtensions(whole: JsonObject): { body: JsonObject; extensions: Extensions } {
  const { max_cost_usd, provider: pinned, ...body } = whole
  const refused = NOT_YET.find((name) => body[name] !== undefined)
  if (refused) throw new Failure(400, 'unsupported_parameter', `'${refused}' is not supported yet.`, { param: refused })
  if (pinned !== undefined) body.model = `${readProvider(pinned)}:${String(body.model)}`
  if (max_cost_usd === undefined) return { body, extensions: {} }
  if (typeof max_cost_usd !== 'string') {
    throw new Failure(400, 'invalid_type', 'max_cost_usd must be a string with an amount in USD, like "0.05".', {
      param: 'max_cost_usd',
    })
  }
  return { body, extensions: { max_cost_usd } }
}

function readProvider(value: unknown): string {
  const read = provider.safeParse(value)
  if (read.success) return read.data
  throw new Failure(400, 'invalid_value', '\'provider\' must be the id of one provider, like "groq".', {
    param: 'provider',
  })
}
