/** What clients ask before and beside their work: hello, ping, buildInfo, connectionStatus, endSessions. */
import { max_document_bytes } from '../encode.ts'
import type { Command, Context } from '../engine.ts'
import type { Document } from '../values.ts'
import { max_message_bytes } from '../wire.ts'

/** MongoDB 7.0's: the commands and answers here are those of that version. */
const max_wire_version = 21
const version = '7.0.0'
const max_write_batch = 100_000

/** A standalone: no set name, so drivers neither retry writes nor start transactions. No `topologyVersion`: no streaming. */
function hello(context: Context): Document {
  const legacy = !('hello' in context.command)
  return {
    helloOk: true,
    [legacy ? 'ismaster' : 'isWritablePrimary']: true,
    maxBsonObjectSize: max_document_bytes,
    maxMessageSizeBytes: max_message_bytes,
    maxWriteBatchSize: max_write_batch,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: 30,
    connectionId: context.connection_id,
    minWireVersion: 0,
    maxWireVersion: max_wire_version,
    readOnly: false,
  }
}

const buildInfo = (): Document => ({
  version,
  versionArray: [7, 0, 0, 0],
  gitVersion: 'switchyard-embedded-store',
  modules: [],
  allocator: 'sqlite',
  javascriptEngine: 'none',
  sysInfo: 'embedded',
  bits: 64,
  debug: false,
  maxBsonObjectSize: max_document_bytes,
  storageEngines: ['sqlite'],
})

const connectionStatus = (): Document => ({
  authInfo: { authenticatedUsers: [], authenticatedUserRoles: [], authenticatedUserPrivileges: [] },
})

const nothing = (): Document => ({})

const hello_fields: ReadonlySet<string> = new Set([
  'helloOk',
  'client',
  'compression',
  'saslSupportedMechs',
  'speculativeAuthenticate',
  'loadBalanced',
  'topologyVersion',
  'maxAwaitTimeMS',
  'backpressure',
  'hostInfo',
  '$query',
])

const command = (run: Command['run'], fields: ReadonlySet<string> = new Set()): Command => ({
  run,
  fields,
  writes: false,
})

export const greeting_commands: readonly (readonly [string, Command])[] = [
  ['hello', command(hello, hello_fields)],
  ['isMaster', command(hello, hello_fields)],
  ['ismaster', command(hello, hello_fields)],
  ['ping', command(nothing)],
  ['buildInfo', command(buildInfo)],
  ['buildinfo', command(buildInfo)],
  ['connectionStatus', command(connectionStatus, new Set(['showPrivileges']))],
  ['endSessions', command(nothing)],
]
