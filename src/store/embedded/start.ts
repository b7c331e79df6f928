/** Starts the embedded store in a thread of its own. The rest of the code gets a MongoDB URI and nothing else. */
import { resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import { DataFolderInUse, DataFolderUnusable } from './lock.ts'
import type { SyncMode } from './storage.ts'
import type { ThreadMessage, ThreadOptions } from './thread.ts'

export { DataFolderInUse, DataFolderUnusable, makeDataFolder } from './lock.ts'

export type EmbeddedStoreOptions = {
  data_dir: string
  /** `full` survives power loss, `normal` the death of the process. */
  sync: SyncMode
  /** Also listen on this loopback port (0 for any free one), for mongosh and Compass. */
  tcp_port?: number
  /** How often expired documents are looked for. */
  ttl_interval_ms?: number
  /** Called when the thread dies without having been closed: the store is gone, the process had better go too. */
  on_crash?: (error: Error) => void
}

export type EmbeddedStore = {
  /** For mongoose or the driver: the Unix socket, database `switchyard`. */
  uri: string
  /** The port that `tcp_port` led to. */
  tcp_port: number | undefined
  /** Answers what is under way, writes the log back into the file, gives up the folder. */
  close: () => Promise<void>
}

const ttl_interval_ms = 60_000

/** Resolves when it listens. Rejects with DataFolderInUse, DataFolderUnusable or what else kept it from starting. */
export function startEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const workerData: ThreadOptions = {
    data_dir: resolve(options.data_dir),
    sync: options.sync,
    tcp_port: options.tcp_port,
    ttl_interval_ms: options.ttl_interval_ms ?? ttl_interval_ms,
  }
  // The thread must not inherit a test runner's or debugger's flags: it runs as plain Node.
  const worker = new Worker(new URL('./thread.ts', import.meta.url), {
    workerData,
    execArgv: [],
    name: 'store',
    // What a command decodes is garbage when it is answered; a large nursery would only hold more of it.
    resourceLimits: { maxYoungGenerationSizeMb: 6 },
  })
  return new Promise((resolve, reject) => {
    let closing = false
    let listening = false
    const ended = new Promise<void>((done) => worker.once('exit', () => done()))
    const fail = (error: Error): void => {
      if (!listening) reject(error)
      else if (!closing) options.on_crash?.(error)
    }
    worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))))
    worker.once('exit', () => fail(new Error('The embedded store has stopped')))
    worker.on('message', (message: ThreadMessage) => {
      if (message.type === 'folder_in_use') reject(new DataFolderInUse(message.folder, message.pid))
      else if (message.type === 'folder_unusable') reject(new DataFolderUnusable(message.folder, message.reason))
      if (message.type !== 'listening') return
      listening = true
      const close = async (): Promise<void> => {
        if (!closing) worker.postMessage('close')
        closing = true
        await ended
      }
      resolve({ uri: message.uri, tcp_port: message.tcp_port, close })
    })
  })
}
