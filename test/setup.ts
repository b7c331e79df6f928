// Before every test file: property tests draw the same cases each time, so that a red run is red again. To look for new
// ones: FAST_CHECK_SEED=$RANDOM npm test.
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env.FAST_CHECK_SEED ?? 20_261_121) })
