// Outputs by their signed addresses: for whoever holds one, without a key. An address that is no good is left to the
// key, where one was sent.

import { findJob } from '../flow/jobs.ts'
import { checkSignedOutput } from '../flow/media/signed_outputs.ts'
import type { Services } from '../flow/services.ts'
import { keyOf } from '../http/auth.ts'
import type { ApiRouter, RouteContext } from '../http/context.ts'
import { sendOutput } from './jobs.ts'

const single = (value: string | string[] | undefined) => (typeof value === 'string' ? value : '')

/** Before the routes that ask for a key. */
export function signedOutputRoutes(router: ApiRouter, services: Services): void {
  router.get('/v1/jobs/:id/outputs/:n', async (context, next) => {
    const { expires, signature } = context.query
    if (expires === undefined && signature === undefined) return next()
    const { id, n } = context.params
    const job_id = String(id)
    try {
      const index = /^\d{1,3}$/.test(String(n)) ? Number(n) : -1
      const until = /^\d{1,11}$/.test(single(expires)) ? Number(expires) : 0
      checkSignedOutput(services, { job_id, index, expires: until, signature: single(signature) })
    } catch (error) {
      if (keyOf(context) !== undefined) return next()
      throw error
    }
    await sendOutput(services, context as RouteContext, await findJob(services, undefined, job_id))
  })
}
