/** A process that holds a store and is meant to be killed (durability.test.ts). It prints the URI, then waits. */
import { startEmbeddedStore } from '../../../src/store/embedded/start.ts'

const [data_dir = ''] = process.argv.slice(2)
const store = await startEmbeddedStore({ data_dir, sync: 'normal' })
console.log(store.uri)
