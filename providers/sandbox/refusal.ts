// How the sandbox says no: invalid_request naming the caller's field, and the checks that several operations share.
import { type Asset, ProviderError } from '../../src/contract.ts'

export const refusal = (field: string, why: string, cause?: unknown): ProviderError =>
  new ProviderError('invalid_request', `The sandbox refuses ${field}: ${why}.`, { param: field, cause })

/** Throws unless the value is a whole number within the bounds. */
export function requireWhole(field: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw refusal(field, `give a whole number from ${least} to ${most}`)
  }
}

/** The value as one of the choices. Throws if it is none of them. */
export function requireOneOf<Choice extends string | number>(
  field: string,
  value: string | number,
  choices: readonly Choice[],
): Choice {
  const chosen = choices.find((choice) => choice === value)
  if (chosen === undefined) throw refusal(field, `"${String(value).slice(0, 20)}" is not one of ${choices.join(', ')}`)
  return chosen
}

/** The bytes of a file. Throws for an address: the sandbox never touches the network. */
export function requireBytes(field: string, asset: Asset): Uint8Array {
  if (asset.type === 'bytes') return asset.data
  throw refusal(field, 'there is no network here, send the file itself and not its address')
}
