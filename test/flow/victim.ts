// A router in a process of its own, to be killed or frozen by a test. Its options come as JSON; it says where it listens.
import { pino } from 'pino'
import { readConfig } from '../../src/config.ts'
import { startRouter } from '../../src/start.ts'

const { data_dir, environment, timings } = JSON.parse(process.argv[2] ?? '{}')
const config = readConfig({ PORT: '0', DATA_DIR: data_dir, ...environment }, data_dir)
const router = await startRouter(config, pino({ level: 'silent' }), undefined, timings)
process.stdout.write(`${router.url}\n`)
