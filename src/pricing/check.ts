// What must be true of a set of rates before anything is charged by it: no ties, nothing forgotten, a longer context
// never cheaper. Pure; it reports every fault instead of stopping at the first.
import type { Meter, Operation } from '../contract.ts'
import { compare, fraction, multiply } from './decimal.ts'
import type { Fault } from './fault.ts'
import { bestRate, contextOver, isMoreSpecific } from './match.ts'
import type { Rate } from './schema.ts'

/** A fault within a set of rates; `place` is relative to it: `rates[3]`. */
export type RateFault = Pick<Fault, 'place' | 'problem' | 'remedy'>

export function rateFaults(rates: readonly Rate[], operations: readonly Operation[]): RateFault[] {
  return [...ties(rates), ...unknownConditions(rates), ...cheaperTiers(rates), ...forgottenMeters(rates, operations)]
}

/** Two rates of a meter that can both hold, neither the more specific, and no third that decides between them. */
function ties(rates: readonly Rate[]): RateFault[] {
  return rates.flatMap((rate, index) =>
    rates.slice(0, index).flatMap((other, otherIndex) => {
      if (rate.meter !== other.meter || !canBothHold(rate, other) || !isTie(rate, other)) return []
      if (rates.some((third) => third.meter === rate.meter && decidesBetween(third, rate, other))) return []
      const both = { ...attributesOf(rate), ...attributesOf(other), ...higherContext(rate, other) }
      return [
        {
          place: `rates[${index}]`,
          problem: `ties with rates[${otherIndex}]: both price ${rate.meter} and neither is the more specific`,
          remedy:
            Object.keys(both).length > 0
              ? `add a rate for ${textOf(both)}, or remove one of them`
              : 'remove one of them',
        },
      ]
    }),
  )
}

function higherContext(a: Rate, b: Rate): Record<string, string> {
  const context = Math.max(contextOver(a), contextOver(b))
  return context < 0 ? {} : { context_over: String(context) }
}

/** `context_over` alone ranks only rates whose other conditions are the same. */
function isTie(a: Rate, b: Rate): boolean {
  if (Object.keys(a.when).length !== Object.keys(b.when).length) return false
  const sameAttributes = textOf(attributesOf(a)) === textOf(attributesOf(b))
  return !(sameAttributes && (isMoreSpecific(a, b) || isMoreSpecific(b, a)))
}

function canBothHold(a: Rate, b: Rate): boolean {
  const others = attributesOf(b)
  return Object.entries(attributesOf(a)).every(([name, value]) => others[name] === undefined || others[name] === value)
}

/** A rate that holds whenever both do, and is more specific than either. */
function decidesBetween(third: Rate, a: Rate, b: Rate): boolean {
  if (!isMoreSpecific(third, a) || !isMoreSpecific(third, b)) return false
  const both = { ...attributesOf(a), ...attributesOf(b) }
  const holds = Object.entries(attributesOf(third)).every(([name, value]) => both[name] === value)
  return holds && contextOver(third) <= Math.max(contextOver(a), contextOver(b))
}

function attributesOf({ when }: Rate): Record<string, string> {
  return Object.fromEntries(
    Object.entries(when)
      .filter(([name]) => name !== 'context_over')
      .map(([name, value]) => [name, String(value)]),
  )
}

const textOf = (attributes: Record<string, string>) =>
  Object.entries(attributes)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(' ')

/** A condition on an attribute that is never reported would make its rate dead, and another one charge instead. */
function unknownConditions(rates: readonly Rate[]): RateFault[] {
  return rates.flatMap(({ when }, index) =>
    Object.keys(when).flatMap((name) => {
      if (CONDITIONS.includes(name)) return []
      const meant = CONDITIONS.find((known) => isMisspelt(name, known))
      if (meant === undefined) return []
      const place = `rates[${index}].when.${name}`
      return [{ place, problem: `"${name}" is not an attribute of usage`, remedy: `did you mean "${meant}"?` }]
    }),
  )
}

/** Those of the core; an adapter may report others of its own. */
const CONDITIONS = ['context_over', 'tier', 'resolution', 'size', 'quality', 'audio', 'task']

/** One letter wrong, missing, doubled or swapped. */
function isMisspelt(name: string, known: string): boolean {
  if (known.length < 4 || Math.abs(name.length - known.length) > 1) return false
  let start = 0
  while (start < name.length && name[start] === known[start]) start++
  let end = 0
  while (end < Math.min(name.length, known.length) - start && name.at(-1 - end) === known.at(-1 - end)) end++
  return Math.max(name.length, known.length) - start - end <= 2
}

/**
 * The hold prices the largest input that is possible: were a longer context cheaper, or priced where a shorter one is
 * not, a smaller usage could cost more than its hold. The attributes of each two rates together are every case there is,
 * for it takes no more than two rates to make a step down.
 */
function cheaperTiers(rates: readonly Rate[]): RateFault[] {
  const faults = new Map<string, RateFault>()
  for (const longer of rates) {
    const context = contextOver(longer)
    if (context < 0) continue
    const place = `rates[${rates.indexOf(longer)}]`
    const own = rates.filter(({ meter }) => meter === longer.meter)
    for (const other of own) {
      if (!canBothHold(longer, other)) continue
      const attributes = { ...attributesOf(longer), ...attributesOf(other) }
      if (bestRate(own, { attributes, context: context + 1 }) !== longer) continue
      const shorter = bestRate(own, { attributes, context })
      const fault = shorter ? stepDown(shorter, longer) : noShorter(longer)
      if (fault) faults.set(place, { place, ...fault })
    }
  }
  return [...faults.values()]
}

const noShorter = ({ meter, when }: Rate) => ({
  problem: `prices ${meter} only above a context of ${when.context_over} tokens`,
  remedy: 'add the rate for a shorter one',
})

function stepDown(shorter: Rate, longer: Rate): Omit<RateFault, 'place'> | undefined {
  if (compare(unitPrice(shorter), unitPrice(longer)) <= 0) return undefined
  return {
    problem: `${longer.meter} is cheaper above a context of ${longer.when.context_over} tokens`,
    remedy: 'a longer context must cost at least as much, or the hold would be too small',
  }
}

const unitPrice = ({ usd, per }: Rate) => multiply(fraction(usd), { numerator: 1n, denominator: BigInt(per) })

/** Meters of which one must be priced for each part of the work, or that part would be free by omission. */
const NEEDED: Partial<Record<Operation, Meter[][]>> = {
  chat: [
    ['input_tokens', 'requests', 'compute_seconds'],
    ['output_tokens', 'requests', 'compute_seconds'],
  ],
  embedding: [['input_tokens', 'requests', 'compute_seconds', 'characters']],
  image: [['images', 'megapixels', 'output_tokens', 'output_image_tokens', 'requests', 'compute_seconds']],
  video: [['video_seconds', 'videos', 'output_video_tokens', 'output_tokens', 'requests', 'compute_seconds']],
  speech: [['characters', 'input_tokens', 'output_audio_tokens', 'audio_seconds', 'requests', 'compute_seconds']],
  transcription: [['audio_seconds', 'input_audio_tokens', 'input_tokens', 'requests', 'compute_seconds']],
}

function forgottenMeters(rates: readonly Rate[], operations: readonly Operation[]): RateFault[] {
  const priced = new Set(rates.map(({ meter }) => meter))
  return operations.flatMap((operation) =>
    (NEEDED[operation] ?? []).flatMap((meters) => {
      if (meters.some((meter) => priced.has(meter))) return []
      const problem = `${operation} needs a rate for ${meters.join(' or ')}`
      return [{ place: 'rates', problem, remedy: 'add one; usd = "0" says that it is free' }]
    }),
  )
}
