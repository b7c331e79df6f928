// A signal for work that is worth nothing once its caller has left. Media never use it: they finish and stay retrievable.
import type { Context } from './context.ts'

/** Aborts when the caller hangs up before the answer is complete. One a request. */
export function clientSignal({ res: response }: Context): AbortSignal {
  const controller = new AbortController()
  const leave = () => {
    if (!response.writableFinished) controller.abort(new DOMException('The caller hung up.', 'AbortError'))
  }
  if (response.closed || response.destroyed) leave()
  else response.once('close', leave)
  return controller.signal
}
