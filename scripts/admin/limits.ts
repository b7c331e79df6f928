// The limits of keys and users as options of the command line, and what they are in the API. It calls nothing.
import type { Command } from 'commander'
import type { Json } from './api.ts'

type Options = Record<string, string | boolean | undefined>
type Read = (text: string) => unknown

const asText: Read = (text) => text
/** What is no number goes on as it is, for the API to refuse: it must never become null, which takes a limit away. */
const asNumber: Read = (text) => (Number.isFinite(Number(text)) ? Number(text) : text)
const list: Read = (text) => text.split(',').map((each) => each.trim())

/** [option, field of the API, how it is read, what it is]. */
const LIMITS: [flags: string, field: string, read: Read, what: string][] = [
  ['--daily <usd>', 'limit_daily_usd', asText, 'what may be spent in a day (UTC)'],
  ['--monthly <usd>', 'limit_monthly_usd', asText, 'what may be spent in a month (UTC)'],
  ['--requests <n>', 'requests_per_minute', asNumber, 'how many calls a minute'],
  ['--tokens <n>', 'tokens_per_minute', asNumber, 'how many tokens a minute'],
  ['--jobs <n>', 'jobs_at_once', asNumber, 'how many jobs at once'],
]
const TERMS: typeof LIMITS = [
  ['--limit <usd>', 'limit_usd', asText, 'what it may spend in all'],
  ...LIMITS,
  ['--models <names>', 'models', list, 'the models it may call, or vendor/*, with commas between them'],
  ['--operations <names>', 'operations', list, 'what it may be used for: chat,image,…'],
  ['--ips <addresses>', 'allowed_ips', list, 'addresses and networks it may be used from: 203.0.113.7,10.0.0.0/8'],
]

/** Of a user's account. */
export const withLimits = (command: Command): Command => withOptions(command, LIMITS)
/** Of a key: what it may spend, how fast, and for what. */
export const withTerms = (command: Command): Command => withOptions(command, TERMS)

function withOptions(command: Command, options: typeof LIMITS): Command {
  for (const [flags, , , what] of options) command.option(flags, what)
  return command
}

/** The fields that were given; the word `none` takes a limit away. */
export function limitBody(options: Options): Json {
  return Object.fromEntries(
    TERMS.flatMap(([flags, field, read]) => {
      const given = options[flags.slice(2).split(' ', 1)[0] ?? '']
      if (typeof given !== 'string') return []
      return [[field, given === 'none' ? null : read(given)]]
    }),
  )
}

/** The limits of an answer, one a line. */
export function limitLines(answer: Json): string {
  const lines = TERMS.flatMap(([, field, , what]) => {
    const value = answer[field]
    if (value === null || value === undefined) return []
    return [`  ${field}: ${Array.isArray(value) ? value.join(', ') : String(value)}  (${what})`]
  })
  return lines.length === 0 ? '  no limits' : lines.join('\n')
}
