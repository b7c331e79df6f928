// A file that is sent while it is made. What breaks off shows as a cut connection, never as a file that looks whole.
import { Readable } from 'node:stream'
import { type Context, elapsed } from './context.ts'

/** What the source throws before its first bytes is thrown on, and becomes an ordinary error answer. */
export async function streamFile(
  context: Context,
  media_type: string,
  source: AsyncGenerator<Uint8Array>,
): Promise<void> {
  const first = await source.next()
  context.state.request.first_byte_ms ??= elapsed(context.state.request)
  context.status = 200
  context.set({ 'content-type': media_type, 'cache-control': 'no-cache', 'x-accel-buffering': 'no' })
  // Objects are pieces as they are: a byte stream would wait until it has enough of them.
  context.body = Readable.from(whole(first, source), { highWaterMark: 1 })
}

async function* whole(first: IteratorResult<Uint8Array>, rest: AsyncGenerator<Uint8Array>) {
  if (!first.done) yield first.value
  yield* rest
}
