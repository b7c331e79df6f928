// The store that the routers of a fault run share, in a process of its own, and the line to it: a proxy on the loopback
// interface that swallows answers and cuts connections when it is told to.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Random } from '../torture/load.ts'

const STORE = fileURLToPath(new URL('../store.ts', import.meta.url))
const START_MS_MAX = 30_000

/** For each piece that comes from the store, while there is trouble. */
const SWALLOWED = 0.004
/** For each piece that goes to it. */
const CUT = 0.002

export class StoreLine {
  /** How often an answer was lost after its command was carried out, and a command before it was. */
  readonly lost = { answers: 0, commands: 0 }
  trouble = false
  readonly #child: ChildProcess
  readonly #server: Server
  readonly #random: Random
  readonly #sockets = new Set<Socket>()

  private constructor(child: ChildProcess, store_port: number, random: Random) {
    this.#child = child
    this.#random = random
    this.#server = createServer((router) => this.#pass(router, connect(store_port, '127.0.0.1')))
  }

  static async start(data_dir: string, random: Random): Promise<StoreLine> {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', STORE], {
      env: { PATH: process.env.PATH, DATA_DIR: data_dir, STORE_TCP_PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const port = await portOf(child)
    const line = new StoreLine(child, port, random)
    line.#server.listen(0, '127.0.0.1')
    await once(line.#server, 'listening')
    return line
  }

  get uri(): string {
    const { port } = this.#server.address() as AddressInfo
    return `mongodb://127.0.0.1:${port}/switchyard?directConnection=true`
  }

  async close(): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    this.#child.kill('SIGTERM')
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
  }

  #pass(router: Socket, store: Socket) {
    const end = () => {
      router.destroy()
      store.destroy()
    }
    for (const socket of [router, store]) {
      socket.setNoDelay(true)
      this.#sockets.add(socket)
      // That one side goes is all there is to know: the other goes too.
      socket.on('error', end)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    router.on('data', (bytes: Buffer) => {
      if (this.trouble && this.#random() < CUT) {
        this.lost.commands++
        return end()
      }
      store.write(bytes)
    })
    store.on('data', (bytes: Buffer) => {
      if (this.trouble && this.#random() < SWALLOWED) {
        this.lost.answers++
        return end()
      }
      router.write(bytes)
    })
  }
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = ''
    const too_long = setTimeout(() => reject(new Error('The store did not start in time.')), START_MS_MAX)
    child.once('exit', (code) => reject(new Error(`The store ended by itself with code ${code}: ${said}`)))
    child.stdout?.on('data', (bytes: Buffer) => {
      said += bytes.toString()
      const port = /mongodb:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1]
      if (port === undefined) return
      clearTimeout(too_long)
      child.removeAllListeners('exit')
      resolve(Number(port))
    })
  })
}
