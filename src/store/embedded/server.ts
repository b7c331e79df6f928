/**
 * The listening side: connections, the order of their answers, and group commit. What arrives in one turn of the event
 * loop shares a transaction, and no answer leaves before that transaction is on file.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { type Engine, encodeFailure } from './engine.ts'
import { CommandError } from './errors.ts'
import { MessageCutter, type Request, readRequest, requestId, writeAnswer } from './wire.ts'

type Held = { socket: Socket; request: Request; body: Buffer }

const max_held = 512
const max_unsent_bytes = 32 * 1024 * 1024

export class StoreServer {
  readonly #engine: Engine
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  #held: Held[] = []
  #commit_planned = false
  #last_connection = 0
  #closed = false

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Listens on a Unix socket path, or on a loopback port; answers with the port (0 for a path). */
  listen(where: { path: string } | { port: number }): Promise<number> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket))
    this.#servers.push(server)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      const options = 'path' in where ? where : { ...where, host: '127.0.0.1' }
      server.listen(options, () => {
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  }

  /** Commits and answers what is held, then drops the connections. */
  async close(): Promise<void> {
    this.#closed = true
    this.#commit()
    const closing = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)))
    for (const socket of this.#sockets) socket.end(() => socket.destroy())
    await Promise.all(closing)
  }

  /** Does other work on the engine (the TTL timer's) and commits it; a failure undoes the turn it happened in. */
  between(work: () => void): void {
    if (this.#closed) return
    try {
      work()
      this.#commit()
    } catch (error) {
      this.#undo(internal(error))
    }
  }

  #accept(socket: Socket): void {
    const connection_id = ++this.#last_connection
    const cutter = new MessageCutter()
    this.#sockets.add(socket)
    // A peer that vanishes is no event of ours: `close` follows and is all there is to do.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('drain', () => socket.resume())
    socket.on('data', (chunk: Buffer) => {
      let messages: Buffer[]
      try {
        messages = cutter.push(chunk)
      } catch {
        socket.destroy()
        return
      }
      for (const message of messages) this.#handle(socket, message, connection_id)
    })
  }

  #handle(socket: Socket, message: Buffer, connection_id: number): void {
    const request = readOrRefuse(message)
    if (request instanceof CommandError) {
      const unread: Request = { id: requestId(message), kind: 'message', command: {}, database: '', wants_answer: true }
      this.#answer({ socket, request: unread, body: encodeFailure(request) })
      return
    }
    try {
      const body = this.#engine.run(request.command, request.database, connection_id)
      this.#answer({ socket, request, body })
    } catch (error) {
      this.#held.push({ socket, request, body: encodeFailure(internal(error)) })
      this.#undo(internal(error))
    }
  }

  #answer(held: Held): void {
    if (!this.#engine.storage.in_transaction) {
      send(held)
      return
    }
    this.#held.push(held)
    if (this.#held.length >= max_held) this.#commit()
    if (this.#commit_planned) return
    this.#commit_planned = true
    setImmediate(() => {
      this.#commit_planned = false
      this.#commit()
    })
  }

  #commit(): void {
    try {
      this.#engine.commit()
    } catch (error) {
      this.#undo(internal(error))
    }
    const held = this.#held
    this.#held = []
    for (const answer of held) send(answer)
  }

  /** sqlite failed (a full disk, say): nothing of this turn is on file, and everyone in it is told so. */
  #undo(error: CommandError): void {
    this.#engine.rollback()
    const held = this.#held
    this.#held = []
    const body = encodeFailure(error)
    for (const { socket, request } of held) send({ socket, request, body })
  }
}

/** What is no message of ours is answered with an error; only a fault of ours passes through. */
function readOrRefuse(message: Buffer): Request | CommandError {
  try {
    return readRequest(message)
  } catch (error) {
    if (error instanceof CommandError) return error
    if (error instanceof RangeError) return new CommandError('BadValue', 'The message is cut short')
    throw error
  }
}

function send({ socket, request, body }: Held): void {
  if (!request.wants_answer || socket.destroyed) return
  socket.write(writeAnswer(request, body))
  if (socket.writableLength > max_unsent_bytes) socket.pause()
}

function internal(error: unknown): CommandError {
  const message = error instanceof Error ? error.message : String(error)
  const full = message.includes('disk is full')
  return new CommandError(full ? 'OutOfDiskSpace' : 'InternalError', `The embedded store could not write: ${message}`)
}
