/** Runs the embedded store alone (`npm run store`), so that several routers of one machine share it by MONGODB_URI. */
import { DataFolderInUse, DataFolderUnusable, startEmbeddedStore } from '../src/store/embedded/start.ts'

const data_dir = process.env.DATA_DIR || './data'
const sync = process.env.STORE_SYNC || 'normal'
const tcp_port = process.env.STORE_TCP_PORT

/** One line, exit 1: nothing has been opened or must be closed. */
function refuse(message: string): never {
  console.error(message)
  process.exit(1)
}

if (sync !== 'normal' && sync !== 'full') refuse(`STORE_SYNC is "${sync}": set it to normal or full`)
if (tcp_port !== undefined && !/^\d{1,5}$/.test(tcp_port)) refuse(`STORE_TCP_PORT is "${tcp_port}": set it to a port`)

try {
  const store = await startEmbeddedStore({
    data_dir,
    sync,
    ...(tcp_port !== undefined && { tcp_port: Number(tcp_port) }),
    on_crash: (error) => refuse(`The store has failed: ${error.message}`),
  })
  console.log(`MONGODB_URI=${store.uri}`)
  if (store.tcp_port !== undefined) {
    console.log(`For mongosh and Compass: mongodb://127.0.0.1:${store.tcp_port}/switchyard?directConnection=true`)
  }
  const stop = (): void => void store.close()
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
} catch (error) {
  if (error instanceof DataFolderInUse || error instanceof DataFolderUnusable) refuse(error.message)
  throw error
}
