// The line between a simulated router and the store: commands and answers take their time, and some are lost, late, or
// the last thing that a process does.
import mongoose from 'mongoose'
import type { Command, MemoryServer, Send } from './memory_store.ts'
import type { Process, World } from './world.ts'

/** How likely each fault is, for one write or one read. */
export interface Faults {
  /** Of a write: it never arrives. */
  lost_before: number
  /** It is carried out, and nobody hears so. */
  lost_after: number
  /** It is given up, and carried out much later. */
  late: number
  /** The process dies before it, or right after it. */
  killed_before: number
  killed_after: number
  /** The process stops for many seconds after it was sent, and goes on. */
  frozen: number
  /** Of a read: no answer. */
  read_lost: number
  /** The longest that a late write is under way; recovery counts on two minutes. */
  late_ms: number
}

export const NO_FAULTS: Faults = {
  lost_before: 0,
  lost_after: 0,
  late: 0,
  killed_before: 0,
  killed_after: 0,
  frozen: 0,
  read_lost: 0,
  late_ms: 0,
}

export type FaultKind =
  | 'lost before'
  | 'lost after'
  | 'late'
  | 'killed before'
  | 'killed after'
  | 'frozen'
  | 'read lost'

export interface Line {
  server: MemoryServer
  database: string
  world: World
  faults(): Faults
  /** Told each fault, so that they can be counted. */
  met(kind: FaultKind): void
  kill(process: Process): void
  /** Called after each write that was carried out, whoever sent it. */
  written(command: Command): void
  /** Changes a command on its way, as a faulty version of the code would have sent it. */
  alter?(command: Command): void
}

const LATENCY_MS = { least: 0.1, most: 4 }
const GIVEN_UP_MS = { least: 20, most: 1500 }
const FROZEN_MS = { least: 4_000, most: 40_000 }

const WRITES = ['insert', 'update', 'delete', 'findAndModify']

/** How many writes of this line are under way to the store though their senders have given them up. */
export class LateWrites {
  count = 0
}

export function lineOf(process: Process, line: Line, late: LateWrites): Send {
  const { world, server } = line
  return (command) => {
    line.alter?.(command)
    const [name = ''] = Object.keys(command)
    const what = `${process.name} ${name} ${String(command[name])}`
    const message = server.encode(line.database, command)
    const carryOut = () => {
      const answer = server.run(message)
      if (WRITES.includes(name)) line.written(command)
      return answer
    }
    return new Promise((resolve, reject) => {
      const answerLater = (answer: Record<string, unknown>) => {
        world.note(`${what} → ${JSON.stringify(answer.n ?? answer.errmsg ?? 'read')}`)
        world.after(world.between(LATENCY_MS.least, LATENCY_MS.most), () => resolve(answer), process)
      }
      const failLater = () =>
        world.after(
          world.between(GIVEN_UP_MS.least, GIVEN_UP_MS.most),
          () => reject(new mongoose.mongo.MongoNetworkError('The line broke.')),
          process,
        )
      const fate = fateOf(line, WRITES.includes(name))
      if (fate) {
        world.note(`${what}: ${fate}`)
        line.met(fate)
      }
      world.after(world.between(LATENCY_MS.least, LATENCY_MS.most), () => {
        switch (fate) {
          case undefined:
            return answerLater(carryOut())
          case 'frozen':
            process.frozen_until = world.now + world.between(FROZEN_MS.least, FROZEN_MS.most)
            return answerLater(carryOut())
          case 'lost before':
          case 'read lost':
            return failLater()
          case 'lost after':
            carryOut()
            return failLater()
          case 'late':
            late.count++
            world.after(world.random() ** 3 * line.faults().late_ms, () => {
              late.count--
              const { n } = carryOut()
              world.note(`${what} lands late → ${String(n)}`)
            })
            return failLater()
          case 'killed before':
            return line.kill(process)
          case 'killed after':
            carryOut()
            return line.kill(process)
        }
      })
    })
  }
}

function fateOf(line: Line, writes: boolean): FaultKind | undefined {
  const { read_lost, late_ms: _, ...of_writes } = line.faults()
  let drawn = line.world.random()
  if (!writes) return drawn < read_lost ? 'read lost' : undefined
  for (const [name, chance] of Object.entries(of_writes)) {
    drawn -= chance
    if (drawn < 0) return name.replace('_', ' ') as FaultKind
  }
  return undefined
}
