// The variants of the money protocol that are explored: as it is, and without each of its rules. It explores nothing.
import type { Variant } from './protocol.ts'

const WHOLE: Variant = {
  name: 'the protocol',
  nonce: true,
  compare: true,
  amount: true,
  extends: false,
  reads: 'one copy',
}

/** `holds`: whether nothing may go wrong. */
export const VARIANTS: (Variant & { holds: boolean })[] = [
  { ...WHOLE, holds: true },
  { ...WHOLE, name: 'without a nonce for each hold', nonce: false, holds: false },
  { ...WHOLE, name: 'without compare-and-set in the decision', compare: false, holds: false },
  { ...WHOLE, name: 'with holds that grow', extends: true, holds: true },
  { ...WHOLE, name: 'with holds that grow, amount not matched', extends: true, amount: false, holds: false },
  { ...WHOLE, name: 'on a replica set, read by majority', reads: 'majority', holds: true },
  { ...WHOLE, name: 'on a replica set, read from the primary', reads: 'local', holds: false },
]
