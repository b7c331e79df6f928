/** Reading the fields of a command: each function gives a plain value or MongoDB's own error. */
import { CommandError } from '../errors.ts'
import { type Document, isDocument, numberOf } from '../values.ts'

export function textField(command: Document, name: string): string {
  const value = command[name]
  if (typeof value === 'string') return value
  throw new CommandError(
    value === undefined ? 'MissingField' : 'TypeMismatch',
    value === undefined
      ? `BSON field '${name}' is missing but a required field`
      : `BSON field '${name}' is the wrong type '${typeof value}', expected type 'string'`,
  )
}

/** The name of the collection a command works on: its first field. */
export function collectionName(command: Document): string {
  const [name = ''] = Object.keys(command)
  const value = command[name]
  if (typeof value === 'string' && value !== '') return value
  throw new CommandError('InvalidNamespace', `collection name has invalid type or is empty in '${name}'`)
}

export function documentField(command: Document, name: string): Document {
  const value = command[name] ?? {}
  if (isDocument(value)) return value
  throw new CommandError('TypeMismatch', `BSON field '${name}' is the wrong type, expected type 'object'`)
}

export function arrayField(command: Document, name: string): unknown[] {
  const value = command[name]
  if (Array.isArray(value)) return value
  throw new CommandError(
    value === undefined ? 'MissingField' : 'TypeMismatch',
    `BSON field '${name}' is missing or no array`,
  )
}

/** A whole number of at least 0, however it is typed. */
export function countField(command: Document, name: string, fallback: number): number {
  const value = command[name]
  if (value === undefined || value === null) return fallback
  const number = Number(numberOf(value))
  if (Number.isInteger(number) && number >= 0) return number
  throw new CommandError('BadValue', `BSON field '${name}' must be a whole number of at least 0`)
}

export function flagField(command: Document, name: string, fallback: boolean): boolean {
  const value = command[name]
  if (value === undefined || value === null) return fallback
  return value !== false && Number(numberOf(value) ?? 1) !== 0
}
