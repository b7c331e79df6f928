// What is wrong with a file or its address, in words fit for a caller: never an internal address, a path or a secret.

export type MediaErrorCode =
  | 'unsafe_url'
  | 'fetch_failed'
  | 'file_too_large'
  | 'wrong_file_type'
  | 'unreadable_file'
  | 'image_too_large'

/** The base of this folder's errors about files; whoever gave the file is at fault. Storage has an error of its own. */
export class MediaError extends Error {
  override name = 'MediaError'
  readonly code: MediaErrorCode
  constructor(code: MediaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export class FileTooLarge extends MediaError {
  override name = 'FileTooLarge'
  constructor(max_bytes: number) {
    super('file_too_large', `The file is larger than ${max_bytes} bytes, the most that is taken here.`)
  }
}
