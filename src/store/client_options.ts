// How the driver speaks to the store: what money needs, which no connection string can weaken, and what an operator may
// set in it. It opens nothing.
import type { ConnectOptions, mongo } from 'mongoose'

/**
 * Every write is acknowledged by a majority and in its journal; every read sees only what is. A lost answer is repeated by
 * us, whatever the driver did before; `retryWrites` only spares the pause.
 */
const FIXED: ConnectOptions = {
  // Int64 fields read as bigint whatever their size: money is never a double.
  useBigInt64: true,
  // By their single names: the driver would let those of the connection string have the last word over an object
  // (`journal=false`, `readConcernLevel=local`; mongodb 7.8, 2026-11-21).
  w: 'majority',
  journal: true,
  readConcernLevel: 'majority',
  readPreference: 'primary',
  monitorCommands: false,
}

/**
 * A host that hangs without closing its connections (frozen, cut off) is given up after heartbeatFrequencyMS and
 * connectTimeoutMS; the driver's own 40 seconds would keep what is under way there for longer than any election takes.
 */
const DEFAULTS: ConnectOptions = {
  appName: 'switchyard',
  maxPoolSize: 16,
  heartbeatFrequencyMS: 5000,
  connectTimeoutMS: 8000,
}

/**
 * The embedded store has one thread: while it makes an index over a million jobs, after an update, it answers nobody, and
 * would be taken for dead at every start. When it dies its socket says so at once.
 */
const EMBEDDED_PATIENCE_MS = 30 * 60_000
const isEmbedded = (uri: string) => /\.sock\b/i.test(uri)

/** Where the connection string names none. */
const DATABASE = 'switchyard'

/** `timeout_ms`: how long a server that can take the command is waited for. */
export function clientOptions(uri: string, timeout_ms: number): ConnectOptions {
  const query = uri.slice(uri.indexOf('?') + 1).toLowerCase()
  const given = new Set(uri.includes('?') ? query.split('&').map((each) => each.split('=')[0]) : [])
  const patience = isEmbedded(uri) ? { connectTimeoutMS: EMBEDDED_PATIENCE_MS } : {}
  const ours = { ...DEFAULTS, ...patience, serverSelectionTimeoutMS: timeout_ms }
  // A connection string without a name would mean the database `test`.
  const named = /^[^/]+\/\/[^/?]+\/[^?]/.test(uri)
  const defaults = Object.fromEntries(Object.entries(ours).filter(([name]) => !given.has(name.toLowerCase())))
  return { ...defaults, ...(!named && { dbName: DATABASE }), ...FIXED }
}

/** Whether there can be elections: a replica set, or a sharded cluster of such. */
export async function isReplicated(database: mongo.Db): Promise<boolean> {
  const { setName, msg } = await database.command({ hello: 1 })
  return setName !== undefined || msg === 'isdbgrid'
}

/**
 * For a read from which something is concluded because it does not find it. Right after an election a majority read may
 * miss what the primary before had acknowledged; a linearizable one waits until it cannot. A standalone has no such thing
 * and refuses it.
 */
export const certainly = ({ replicated }: { replicated: boolean }): mongo.FindOptions =>
  replicated === true ? { readConcern: { level: 'linearizable' }, maxTimeMS: CERTAIN_MS } : {}

/** Without a majority it would wait for ever. */
const CERTAIN_MS = 10_000
