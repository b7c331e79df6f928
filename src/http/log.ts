// The log: one JSON line a happening. Of an error it keeps name, message, stack and causes alone, without whatever looks
// like a key: other properties of errors carry requests, headers and documents.
import { type DestinationStream, type Logger, pino } from 'pino'
import { withoutSecrets } from '../protocols/status.ts'

const TEXT_LENGTH_MAX = 8000
const CAUSES_MAX = 4

interface ErrorDescription {
  name: string
  message: string
  stack?: string
  cause?: ErrorDescription
}

/** They never belong into the log; should one get there, its value does not. */
const SECRET_FIELDS = ['*.authorization', '*.api_key', '*.key', '*.secret']

export function makeLog(level: string, destination?: DestinationStream): Logger {
  const options = { level, redact: SECRET_FIELDS, serializers: { error: describe } }
  return destination ? pino(options, destination) : pino(options)
}

function describe(error: unknown, depth = 0): ErrorDescription | string {
  if (typeof error === 'string') return clean(error)
  if (!(error instanceof Error)) return { name: typeof error, message: 'Something that is no Error was thrown.' }
  const { name, message, stack, cause } = error
  return {
    name,
    message: clean(message),
    ...(stack !== undefined && { stack: clean(stack) }),
    ...(cause !== undefined && depth < CAUSES_MAX && { cause: describe(cause, depth + 1) as ErrorDescription }),
  }
}

const clean = (text: string) => withoutSecrets(text.slice(0, TEXT_LENGTH_MAX))
