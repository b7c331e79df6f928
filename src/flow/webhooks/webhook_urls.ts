// Which addresses webhooks may go to: public ones over TLS, on the ports of the web, and what the operator allows besides.
import { checkUrl, mayBePublic, UnsafeUrl } from '../../media/guard.ts'
import { Failure } from '../failure.ts'
import type { Services } from '../services.ts'

const LENGTH_MAX = 2048
/** 443 shows as no port. Others may be anything's: a database's, a mail server's. */
const PORTS = new Set(['', '8443'])
const LOOK_UP_MS = 2000

type UrlServices = Pick<Services, 'config'>

/** Whether the operator named this host, with its port or without. */
export const isAllowedHost = ({ config }: UrlServices, { host, hostname }: URL): boolean =>
  config.webhook_allowed_hosts.some((each) => each === host.toLowerCase() || each === hostname.toLowerCase())

/** Looked at when it is given; the guard looks again at each sending. Throws Failure 400. */
export async function checkWebhookUrl(services: UrlServices, text: string, param = 'webhook_url'): Promise<void> {
  const url = readUrl(text, param)
  const fault = faultOf(services, url)
  if (fault) throw refused(fault, param)
  if (isAllowedHost(services, url)) return
  if (!(await withinTime(mayBePublic(url.hostname)))) throw refused('does not lead to a public address', param)
}

/** What is wrong with an address, without asking anybody. */
export function faultOf(services: UrlServices, url: URL): string | undefined {
  if (isAllowedHost(services, url)) return undefined
  if (url.protocol !== 'https:') return 'must begin with https://'
  return PORTS.has(url.port) ? undefined : 'must have port 443 or 8443'
}

function readUrl(text: string, param: string): URL {
  if (text.length > LENGTH_MAX) throw refused(`must have at most ${LENGTH_MAX} characters`, param)
  try {
    return checkUrl(text)
  } catch (error) {
    if (error instanceof UnsafeUrl) throw new Failure(400, 'unsafe_url', `'${param}': ${error.message}`, { param })
    throw error
  }
}

const refused = (why: string, param: string) => new Failure(400, 'unsafe_url', `'${param}' ${why}.`, { param })

/** A slow name server must not hold a request up: the sending will tell. */
function withinTime(looking: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), LOOK_UP_MS)
  })
  return Promise.race([looking, late]).finally(() => clearTimeout(timer))
}
