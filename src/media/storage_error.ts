// The place of files cannot be used: the operator's to mend, so it may name folders and never reaches a caller.
export class StorageError extends Error {
  override name = 'StorageError'
}
