// Lists as every route of ours answers them, and queries as they are read: strictly, so that a misspelt filter is an
// error and never a longer list.
import { z } from 'zod'
import type { Context } from '../http/context.ts'

/** The part of a list's query that all lists share. */
export const pageQuery = {
  limit: z
    .string()
    .regex(/^\d{1,3}$/, 'must be a whole number from 1 to 100')
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= 100, 'must be a whole number from 1 to 100')
    .default(20),
  after: z.string().min(1).max(200).exactOptional(),
  order: z.enum(['asc', 'desc']).default('desc'),
}

/** Throws ZodError for an unknown, repeated or malformed parameter. */
export function readQuery<Schema extends z.ZodObject>(context: Context, schema: Schema): z.infer<Schema> {
  return schema.parse({ ...context.query })
}

/** Whole objects, each with its `id`. */
export function listOf<Item extends { id?: unknown }>(data: Item[], has_more: boolean) {
  return {
    object: 'list',
    data,
    has_more,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  }
}
