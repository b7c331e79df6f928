// `npm run doctor`: examines providers, prices and configuration. Warnings leave exit code 0, faults make it 1.
import { ConfigError, readConfig } from '../src/config.ts'
import { examine } from '../src/doctor.ts'

try {
  const { healthy, text } = await examine(readConfig())
  console.log(text)
  process.exitCode = healthy ? 0 : 1
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  console.log(`The configuration is wrong:\n${error.message.replace(/^/gm, '  ')}`)
  process.exitCode = 1
}
