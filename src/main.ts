// The start of the router as a process: configuration, log, signals, the first words to its operator. The only file
// that does something by being imported.
import { pino } from 'pino'
import { type Config, ConfigError, readConfig } from './config.ts'
import { greeting } from './greeting.ts'
import { makeLog } from './http/log.ts'
import { armFault } from './ledger/fault_point.ts'
import { RegistryFaults } from './registry.ts'
import { type Router, startRouter } from './start.ts'
import { DataFolderInUse, DataFolderUnusable } from './store/embedded/start.ts'

/** One clear line (or one for each fault) and the end: a start that fails leaves nothing running. */
function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}

function configuration(): Config {
  try {
    return readConfig()
  } catch (error) {
    if (error instanceof ConfigError) fail(`The configuration cannot be used:\n${error.message}`)
    throw error
  }
}

/** IndexOptionsConflict and IndexKeySpecsConflict. */
const INDEX_CONFLICTS = new Set([85, 86])

/** What kept the router from starting, in words for its operator. */
function reasonOf(error: unknown, config: Config): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (error instanceof RegistryFaults) return `Providers or prices are faulty; mend them and start again:\n${message}`
  if (error instanceof DataFolderInUse || error instanceof DataFolderUnusable) return message
  if (code === 'EADDRINUSE')
    return `Port ${config.port} of ${config.host} is taken. Stop what listens there, or set PORT to another one.`
  if (code === 'EACCES' || code === 'EROFS' || code === 'ENOSPC')
    return `The data folder ${config.data_dir} cannot be written (${code}). Set DATA_DIR to a folder of your own.`
  if (INDEX_CONFLICTS.has(Number(code)))
    return `An index of the store is not as this version needs it. Drop it and start again: ${message}`
  if (/^Mongo/.test((error as Error).name))
    return `The database of MONGODB_URI does not answer: ${withoutCredentials(message)}`
  return `The router could not start: ${message}`
}

/** A connection string may come back in a driver's message. */
const withoutCredentials = (text: string) => text.replace(/\/\/[^@/\s]*@/g, '//')

/** Lines are written a few at a time: a write of its own for each costs more than the rest of its request. */
const LOG_BYTES = 8192
const LOG_MS = 200
const destination = pino.destination({ sync: false, minLength: LOG_BYTES, periodicFlush: LOG_MS })

/** The last lines are the ones that tell why. */
function exit(code: number): never {
  destination.flushSync()
  process.exit(code)
}

const config = configuration()
const log = makeLog(config.log_level, destination)
if (config.fault) armFault(config.fault)

process.on('unhandledRejection', (error) => {
  log.fatal({ error }, 'An error was not handled; the router stops, and recovery takes over what it did.')
  exit(1)
})

let router: Router
try {
  router = await startRouter(config, log, (error) => {
    log.fatal({ error }, 'The embedded store has died; the router stops with it.')
    exit(1)
  })
} catch (error) {
  fail(reasonOf(error, config))
}
process.stdout.write(greeting(router, config))

let stopping = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The terminal and the launcher may both pass the same signal on.
    if (stopping) return
    stopping = true
    log.info({ signal }, 'The router stops: it takes nothing new and lets running work end.')
    router.close().then(
      () => exit(0),
      (error: unknown) => fail(`The router did not stop cleanly: ${String(error)}`),
    )
  })
}
process.on('SIGHUP', () => {
  router.services.reload().then(
    ({ revision }) => log.info({ revision }, 'Providers and prices were loaded again.'),
    (error: unknown) => log.error({ faults: String(error) }, 'Providers or prices are faulty; the old ones stay.'),
  )
})
