// The sandbox as its tests call it: connected once, with a call that can be aborted. Knows nothing of the router.

import sandbox from '../../../providers/sandbox/index.ts'
import type { Call, Connection, ProviderFetch } from '../../../src/contract.ts'

const fetch: ProviderFetch = Object.assign(() => Promise.reject(new Error('The sandbox must not touch the network.')), {
  send: () => Promise.reject(new Error('The sandbox must not touch the network.')),
})

export const connect = (): Connection => sandbox.connect({}, { fetch })

let jobs = 0

export function callFor(upstream: string, call: Partial<Call> = {}): Call {
  return {
    job: `job_${jobs++}`,
    upstream,
    options: {},
    signal: new AbortController().signal,
    log: { debug: () => {}, warn: () => {} },
    ...call,
  }
}

/** The member of the connection, which the sandbox always has. */
export function capability<Name extends keyof Connection>(
  name: Name,
  connection = connect(),
): NonNullable<Connection[Name]> {
  const found = connection[name]
  if (found === undefined) throw new Error(`The sandbox has no ${name}.`)
  return found
}
