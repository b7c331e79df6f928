// Bodies of our own routes: JSON, small, and strictly what the schema says.
import type { z } from 'zod'
import { readJson } from '../http/bodies.ts'
import type { Context } from '../http/context.ts'

const BYTES_MAX = 64 * 1024

/** Throws RequestError for what is no JSON, and ZodError for an unknown, missing or malformed field. */
export async function readBody<Schema extends z.ZodObject>(
  context: Context,
  schema: Schema,
  bytes_max = BYTES_MAX,
): Promise<z.infer<Schema>> {
  const { value } = await readJson(context.req, bytes_max)
  return schema.parse(value)
}

/** The same, where a POST without any body means an empty one. */
export async function readBodyIfAny<Schema extends z.ZodObject>(
  context: Context,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const { 'content-length': length, 'transfer-encoding': chunked } = context.req.headers
  return Number(length ?? 0) === 0 && chunked === undefined ? schema.parse({}) : readBody(context, schema)
}
