// Where the router lets itself be sent: public addresses over http(s), checked at the moment of connecting. It opens
// sockets and speaks no HTTP.
import { lookup } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { buildConnector } from 'undici'
import { MediaError } from './media_error.ts'

/** The address itself is refused; nothing was sent. */
export class UnsafeUrl extends MediaError {
  override name = 'UnsafeUrl'
  constructor(message: string) {
    super('unsafe_url', message)
  }
}

export interface Address {
  address: string
  family: number
}
/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<Address[]>

/** Signed addresses of clouds have a few thousand characters. */
const URL_LENGTH_MAX = 16_384
/** One sentence for all, so that it does not tell which internal names exist. */
const NOT_PUBLIC = 'The URL does not lead to a public address.'

/**
 * Parses an address from outside; `base` is the page that redirects to it. Refused as text, before the parser mends it:
 * whatever two parsers could read in two ways (backslashes, blanks, control characters, user names).
 */
export function checkUrl(text: string, base?: URL): URL {
  if (text.length > URL_LENGTH_MAX) throw new UnsafeUrl(`The URL is longer than ${URL_LENGTH_MAX} characters.`)
  if (/[^!-~\u00a1-\uffff]|\\/.test(text))
    throw new UnsafeUrl('The URL contains a blank, a backslash or a control character.')
  const url = URL.parse(text, base?.href)
  if (!url) throw new UnsafeUrl('The URL cannot be read; it should look like https://host/path.')
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new UnsafeUrl('The URL must begin with http:// or https://.')
  const authority = /^(?:[a-z]+:)?\/\/([^/?#]*)/i.exec(text)?.[1] ?? ''
  if (authority.includes('@') || url.username || url.password)
    throw new UnsafeUrl('The URL must not contain a user name or password.')
  return url
}

/** Whether an IP address belongs to the public internet; names and garbage do not. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const ip = ipaddr.process(address)
  if (ip.range() !== 'unicast') return false
  // Global unicast is 2000::/3 alone (RFC 4291, IANA): this also leaves out ::127.0.0.1, which no range above knows.
  if (ip.kind() === 'ipv6') return ip.match(ipaddr.parse('2000::'), 3)
  return !CLOUD_SERVICES.has(ip.toString())
}

/** Public by their number, internal by what they are: Azure's agent and DHCP (learn.microsoft.com, "168.63.129.16"). */
const CLOUD_SERVICES = new Set(['168.63.129.16'])

export interface ConnectorOptions {
  /** The operator's own choice of host, which may be private. */
  trusted: boolean
  timeout_ms: number
  resolve?: Resolve | undefined
}

/**
 * A connector for undici that resolves a name once and connects only to addresses of that answer that are public.
 * undici asks no `lookup` for IP literals, so they are checked before.
 */
export function guardedConnector({
  trusted,
  timeout_ms,
  resolve = resolveAll,
}: ConnectorOptions): buildConnector.connector {
  const allows = (address: string) => trusted || isPublicAddress(address)
  const filtered: LookupFunction = (hostname, options, callback) => {
    const answer = async () => {
      const usable = (await resolve(hostname)).filter(({ address }) => allows(address))
      const [first] = usable
      if (!first) throw new UnsafeUrl(NOT_PUBLIC)
      if (options.all) callback(null, usable)
      else callback(null, first.address, first.family)
    }
    answer().catch((error) => callback(error, []))
  }
  const connect = buildConnector({ timeout: timeout_ms, lookup: filtered, allowH2: false })
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '')
    if (isIP(host) !== 0 && !allows(host)) callback(new UnsafeUrl(NOT_PUBLIC), null)
    else connect(options, callback)
  }
}

/**
 * Whether a host may be visited, as far as can be told before: false where it certainly leads to no public address. The
 * connector looks again, and its answer counts.
 */
export async function mayBePublic(hostname: string, resolve: Resolve = resolveAll): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0) return isPublicAddress(host)
  try {
    return (await resolve(host)).some(({ address }) => isPublicAddress(address))
  } catch {
    // The name server is out of order for the moment: that says nothing of the name.
    return true
  }
}

async function resolveAll(hostname: string): Promise<Address[]> {
  try {
    return await lookup(hostname, { all: true })
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOTFOUND') return []
    throw error
  }
}
