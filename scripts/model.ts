// `npm run model [-- --small]`: the money protocol, explored whole, and what becomes of it without each of its rules. It
// prints states, transitions and verdicts; exit code 1 if one is not as it must be.
import { type Bounds, explore } from './model/explore.ts'
import { VARIANTS } from './model/variants.ts'

/** Small: enough for every rule to be missed, in a few seconds. Every actor may die and every answer be lost all the same. */
const SMALL: Bounds = { late: 0, sweeps: 0 }
const WHOLE: Bounds = { late: 1, sweeps: 0 }

const bounds = process.argv.includes('--small') ? SMALL : WHOLE
const say = (text: string) => process.stdout.write(`${text}\n`)

say(`${'variant'.padEnd(44)}${'states'.padStart(12)}${'transitions'.padStart(14)}  verdict`)
let wrong = 0
for (const { holds, ...variant } of VARIANTS) {
  // A replica set multiplies the states, and what fails over is late enough.
  const { states, transitions, fault, depth } = explore(variant, variant.reads === 'one copy' ? bounds : SMALL)
  const expected = holds === (fault === undefined)
  if (!expected) wrong++
  const verdict = fault === undefined ? 'holds' : `${fault}, in ${depth} steps`
  const counts = `${states.toLocaleString('en').padStart(12)}${transitions.toLocaleString('en').padStart(14)}`
  say(`${variant.name.padEnd(44)}${counts}  ${verdict}${expected ? '' : '  (must not be)'}`)
}
process.exitCode = wrong > 0 ? 1 : 0
