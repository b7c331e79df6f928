// The two faults that every adapter tells: a request that its provider cannot honour, and an answer that nobody can read.
import type { z } from 'zod'
import { ProviderError } from '../contract.ts'

/** `param` is the field in the caller's words. */
export const refuse = (param: string, message: string): ProviderError =>
  new ProviderError('invalid_request', message, { param })

export const unreadable = (provider: string, cause?: unknown): ProviderError =>
  new ProviderError('bad_response', `${provider} answered in a form that we cannot read.`, { cause })

/** The JSON of an answer; undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** An answer as its schema reads it. Throws ProviderError 'bad_response' for what it cannot read. */
export function readAnswer<Schema extends z.ZodType>(schema: Schema, answer: unknown, provider: string) {
  const parsed = schema.safeParse(answer)
  if (parsed.success) return parsed.data
  throw unreadable(provider, parsed.error)
}
