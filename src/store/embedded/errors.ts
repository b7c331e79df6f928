/** The errors the embedded store answers with: MongoDB's own codes and names. Never thrown across the socket as anything else. */

/** MongoDB's numbers for the failures this store can have; the names are those drivers show as `codeName`. */
const error_codes = {
  InternalError: 1,
  BadValue: 2,
  FailedToParse: 9,
  TypeMismatch: 14,
  InvalidLength: 16,
  IllegalOperation: 20,
  NamespaceNotFound: 26,
  IndexNotFound: 27,
  PathNotViable: 28,
  ConflictingUpdateOperators: 40,
  CursorNotFound: 43,
  NamespaceExists: 48,
  MaxTimeMSExpired: 50,
  DollarPrefixedFieldName: 52,
  InvalidIdField: 53,
  EmptyFieldName: 56,
  CommandNotFound: 59,
  ImmutableField: 66,
  CannotCreateIndex: 67,
  InvalidOptions: 72,
  InvalidNamespace: 73,
  IndexOptionsConflict: 85,
  IndexKeySpecsConflict: 86,
  BSONObjectTooLarge: 10334,
  CannotIndexParallelArrays: 171,
  DuplicateKey: 11000,
  OutOfDiskSpace: 14031,
  ConversionFailure: 241,
  InvalidPipelineOperator: 168,
  UnknownGroupOperator: 15952,
  InvalidStage: 40323,
  UnrecognizedPipelineStage: 40324,
  UnknownField: 40415,
  MissingField: 40414,
} as const

export type ErrorName = keyof typeof error_codes

/** One failure of a command or of one statement in it; `detail` is merged into the answer (keyPattern, keyValue). */
export class CommandError extends Error {
  readonly code: number
  readonly code_name: string
  readonly detail: Record<string, unknown>

  constructor(code_name: ErrorName, message: string, detail: Record<string, unknown> = {}) {
    super(message)
    this.name = 'CommandError'
    this.code = error_codes[code_name]
    this.code_name = unnamed.has(code_name) ? `Location${this.code}` : code_name
    this.detail = detail
  }
}

/** MongoDB gives these a number only and prints them as `Location<number>`. */
const unnamed: ReadonlySet<ErrorName> = new Set([
  'UnrecognizedPipelineStage',
  'UnknownGroupOperator',
  'InvalidStage',
  'UnknownField',
  'MissingField',
])

export const badValue = (message: string): CommandError => new CommandError('BadValue', message)
