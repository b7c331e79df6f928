// The other half of the simulation's seeds, in a process of its own beside that of simulation.test.ts.
import { it } from 'vitest'
import { runSeeds, SEEDS_MS_MAX } from './seeds.ts'

it('the simulation keeps the books exact whatever else happens', { timeout: SEEDS_MS_MAX }, () => runSeeds(1))
