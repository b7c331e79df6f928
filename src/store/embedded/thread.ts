/** The worker thread's entry: takes the folder, opens the file, listens, and says so to the thread that started it. */
import { parentPort, workerData } from 'node:worker_threads'
import { Engine } from './engine.ts'
import { DataFolderInUse, DataFolderUnusable, lockFolder } from './lock.ts'
import { StoreServer } from './server.ts'
import { placeSocket, protectSocket, uriOf } from './socket_path.ts'
import type { SyncMode } from './storage.ts'
import { deleteExpired, expiry_batch } from './ttl.ts'

/** What start.ts gives the thread. */
export type ThreadOptions = { data_dir: string; sync: SyncMode; tcp_port: number | undefined; ttl_interval_ms: number }

/** What the thread says. */
export type ThreadMessage =
  | { type: 'listening'; uri: string; tcp_port: number | undefined }
  | { type: 'folder_in_use'; folder: string; pid: number | undefined }
  | { type: 'folder_unusable'; reason: string; folder: string }
  | { type: 'closed' }

const rest_interval_ms = 1000
const between_batches_ms = 20

async function run(options: ThreadOptions, say: (message: ThreadMessage) => void): Promise<() => Promise<void>> {
  const lock = lockFolder(options.data_dir)
  const engine = new Engine(options.data_dir, options.sync)
  const server = new StoreServer(engine)
  const place = placeSocket(options.data_dir)
  await server.listen({ path: place.path })
  protectSocket(place.path)
  const tcp_port = options.tcp_port === undefined ? undefined : await server.listen({ port: options.tcp_port })
  const timers = [
    setInterval(() => {
      expire(engine, server)
      engine.endIdleCursors()
    }, options.ttl_interval_ms),
    setInterval(() => engine.storage.rest(), rest_interval_ms),
  ]
  say({ type: 'listening', uri: uriOf(place.path), tcp_port })
  return async () => {
    for (const timer of timers) clearInterval(timer)
    await server.close()
    engine.close()
    place.remove()
    lock.release()
    say({ type: 'closed' })
  }
}

/** Batch after batch, with room between them for those who wait. */
function expire(engine: Engine, server: StoreServer): void {
  let deleted = 0
  server.between(() => {
    deleted = deleteExpired(engine, Date.now())
  })
  if (deleted >= expiry_batch) setTimeout(() => expire(engine, server), between_batches_ms)
}

if (parentPort !== null) {
  const port = parentPort
  const say = (message: ThreadMessage): void => port.postMessage(message)
  try {
    const close = await run(workerData as ThreadOptions, say)
    port.once('message', async () => {
      await close()
      port.close()
    })
  } catch (error) {
    if (error instanceof DataFolderInUse) say({ type: 'folder_in_use', folder: error.folder, pid: error.pid })
    else if (error instanceof DataFolderUnusable)
      say({ type: 'folder_unusable', folder: error.folder, reason: error.reason })
    else throw error
    port.close()
  }
}
