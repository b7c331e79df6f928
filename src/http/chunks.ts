// An answer that is in memory already, in pieces: sent as it is, without being put together first.
import { type Context, elapsed } from './context.ts'

export function sendChunks(context: Context, chunks: readonly Uint8Array[], media_type: string): void {
  const { res: response, state } = context
  context.respond = false
  if (response.closed || response.destroyed) return
  // What goes wrong from here on is the caller's connection.
  response.on('error', () => undefined)
  state.request.first_byte_ms ??= elapsed(state.request)
  response.writeHead(200, {
    'content-type': media_type,
    'content-length': chunks.reduce((total, { length }) => total + length, 0),
  })
  response.cork()
  for (const chunk of chunks) response.write(chunk)
  response.uncork()
  response.end()
}
