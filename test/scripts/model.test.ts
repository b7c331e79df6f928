// The model of the money protocol (npm run model) in its small bounds: the protocol holds, and fails without each rule.
import { expect, it } from 'vitest'
import { explore } from '../../scripts/model/explore.ts'
import { VARIANTS } from '../../scripts/model/variants.ts'

it.each(VARIANTS)('$name: holds is $holds', { timeout: 60_000 }, ({ holds, ...variant }) => {
  const { states, transitions, fault } = explore(variant, { late: 0, sweeps: 0 })
  expect(fault === undefined).toBe(holds)
  expect(transitions).toBeGreaterThan(states)
})

it('a late write is what growing holds must bear: the settlement matches the amount for it', {
  timeout: 60_000,
}, () => {
  const growing = VARIANTS.find(({ extends: grows, amount }) => grows && !amount)
  if (!growing) throw new Error('There is no variant whose holds grow.')
  expect(explore(growing, { late: 1, sweeps: 0 })).toMatchObject({ fault: 'held is not the hold', depth: 6 })
})
