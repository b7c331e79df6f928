// What a task is billed by where its provider tells nothing: counted as it is submitted, kept in its ref until it is done.
import { z } from 'zod'
import { type JsonObject, METERS, type Usage } from '../../contract.ts'

const Kept = z.object({
  meters: z.partialRecord(z.enum(METERS), z.number()),
  attributes: z.record(z.string(), z.string()).default({}),
})

export const keepUsage = ({ meters, attributes = {} }: Usage): JsonObject => ({ meters, attributes })

export const keptUsage = (kept: unknown): Usage => ({ ...Kept.parse(kept), source: 'counted' })
