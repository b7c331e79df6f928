// Waiting that ends at once when the call is aborted, and leaves no timer behind.
import { setTimeout as wait } from 'node:timers/promises'
import { ProviderError } from '../../src/contract.ts'

/** Throws ProviderError `canceled` when the signal aborts or has aborted. */
export async function pause(pause_ms: number, signal: AbortSignal): Promise<void> {
  throwIfCanceled(signal)
  if (pause_ms <= 0) return
  try {
    await wait(pause_ms, undefined, { signal })
  } catch (error) {
    throwIfCanceled(signal)
    throw error
  }
}

/** Lets timers and sockets have their turn in the midst of long work. */
export async function breathe(signal: AbortSignal): Promise<void> {
  await new Promise(setImmediate)
  throwIfCanceled(signal)
}

export function throwIfCanceled(signal: AbortSignal): void {
  if (signal.aborted) throw new ProviderError('canceled', 'The call was canceled.', { cause: signal.reason })
}
