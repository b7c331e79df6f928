// Where a stream goes: the caller's side as the flow sees it, which knows nothing of sockets.
export interface Sink {
  /** Sends bytes; a promise means that the reader is behind, and it resolves when more may be sent or the reader left. */
  write(bytes: Uint8Array): Promise<void> | undefined
  /** Ends the answer cleanly. */
  end(): void
  /** The caller has left, or reads too slowly to be waited for. */
  readonly gone: boolean
}
