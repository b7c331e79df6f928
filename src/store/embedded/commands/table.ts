/** Every command the store knows, by its name on the wire. Anything else is CommandNotFound. */
import type { Command } from '../engine.ts'
import { administration_commands } from './administration.ts'
import { aggregate_commands } from './aggregate.ts'
import { find_commands } from './find.ts'
import { find_and_modify_commands } from './find_and_modify.ts'
import { greeting_commands } from './greeting.ts'
import { write_commands } from './write.ts'

export const commands: ReadonlyMap<string, Command> = new Map([
  ...greeting_commands,
  ...find_commands,
  ...aggregate_commands,
  ...write_commands,
  ...find_and_modify_commands,
  ...administration_commands,
])
