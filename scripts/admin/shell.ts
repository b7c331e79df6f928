// What the words of the command line are made with: handed to each file that adds some.
import type { Command } from 'commander'
import type { AdminApi, Json } from './api.ts'
import type { Column } from './table.ts'

export type Options = Record<string, string | boolean | undefined>

export interface Shell {
  program: Command
  command(parent: Command, usage: string, description: string): Command
  /** With the options of a list. */
  paged(listing: Command): Command
  run(options: Options, work: (api: AdminApi) => Promise<Json>, show: (answer: Json) => string): Promise<void>
  list(columns: Column[]): (answer: Json) => string
  query(options: Options, fields: Record<string, string>): string
}

export const PAGE = { limit: 'limit', after: 'after' }

/** The header that lets the same command be sent again without moving money twice. */
export const onceHeaders = ({ idempotencyKey }: Options): Record<string, string> =>
  idempotencyKey === undefined ? {} : { 'idempotency-key': String(idempotencyKey) }

/** Of fields that were given. */
export const given = (fields: Record<string, unknown>): Json =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
