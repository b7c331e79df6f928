// What a key may be used for: which models, which operations, from which addresses. It looks up nothing.
import ipaddr from 'ipaddr.js'
import type { Operation } from '../../contract.ts'
import { Failure } from '../failure.ts'
import type { Caller } from '../services.ts'

export type Allowed = Pick<Caller, 'models' | 'operations'>

export const EVERYTHING: Allowed = { models: null }

/** `openai/gpt-5.5`, or `openai/*` for all of a vendor; null: every model. */
export const allowsModel = ({ models }: Allowed, name: string): boolean =>
  models === null || models.some((each) => (each.endsWith('/*') ? name.startsWith(each.slice(0, -1)) : each === name))

export const allowsOperation = ({ operations }: Allowed, operation: Operation): boolean =>
  !operations || operations.includes(operation)

/** Throws Failure model_not_allowed and operation_not_allowed. */
export function checkAllowed(allowed: Allowed, model: string, operation: Operation): void {
  if (!allowsModel(allowed, model)) throw modelNotAllowed(allowed, model)
  if (allowsOperation(allowed, operation)) return
  const operations = allowed.operations ?? []
  throw new Failure(
    403,
    'operation_not_allowed',
    `This key may not be used for ${operation}. It may be used for: ${operations.join(', ')}.`,
    { facts: { operations } },
  )
}

export function modelNotAllowed({ models }: Allowed, name: string): Failure {
  const may = models?.join(', ') ?? 'all'
  return new Failure(403, 'model_not_allowed', `This key may not call ${name}. It may call: ${may}.`, {
    param: 'model',
    facts: { models },
  })
}

/** An address or a network (CIDR) as it is kept; undefined where it is neither. */
export function networkOf(text: string): string | undefined {
  if (ipaddr.isValidCIDR(text)) {
    const [address, bits] = ipaddr.parseCIDR(text)
    return `${address.toString()}/${bits}`
  }
  // The loose forms of old (127.1, 0x7f000001) are left to those who mean harm.
  return ipaddr.IPv6.isValid(text) || ipaddr.IPv4.isValidFourPartDecimal(text)
    ? ipaddr.process(text).toString()
    : undefined
}

/** Whether an address is in one of the networks. An IPv4 address that comes in an IPv6 one is what it is. */
export function inNetworks(networks: readonly string[], address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const ip = ipaddr.process(address)
  return networks.some((network) => {
    const [base, bits] = network.includes('/') ? ipaddr.parseCIDR(network) : wholeAddress(network)
    return base.kind() === ip.kind() && ip.match(base, bits)
  })
}

function wholeAddress(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  const address = ipaddr.process(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}

/** Throws Failure ip_not_allowed. */
export function checkAddress({ allowed_ips }: Caller, address: string): void {
  if (!allowed_ips || inNetworks(allowed_ips, address)) return
  throw new Failure(
    403,
    'ip_not_allowed',
    `This key may not be used from ${address}. Use it from an address that it allows, or have allowed_ips changed.`,
  )
}
