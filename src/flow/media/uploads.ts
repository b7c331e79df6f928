// Files that come with a request: brought here, typed by their bytes, measured. Their names and declared types are never
// believed, and what is wrong with one is the caller's to hear, with the field's name.
import type { Asset } from '../../contract.ts'
import { type LoadOptions, loadAsset } from '../../media/assets.ts'
import { MediaError } from '../../media/media_error.ts'
import { probe } from '../../media/probe.ts'
import { Failure } from '../failure.ts'
import { callerGone } from '../work.ts'
import type { Bytes } from './outputs.ts'

export interface UploadOptions extends Pick<LoadOptions, 'kinds' | 'max_bytes' | 'signal'> {
  /** The field, in the caller's words. */
  param: string
}

/** A file, or an address that is downloaded through the guard. Throws Failure. */
export function takeUpload(asset: Asset, { param, ...options }: UploadOptions): Promise<Bytes> {
  return naming(param, () => loadAsset(asset, options)).catch((error: unknown) => {
    throw options.signal.aborted ? callerGone() : error
  })
}

/** Its length, from its content. Throws Failure for what cannot be measured: by the second it is charged. */
export async function measureSound({ data, media_type }: Bytes, param: string): Promise<number> {
  const { seconds } = await naming(param, () => probe(data, media_type))
  // To the microsecond: what is beyond it comes from sums of floats.
  if (seconds !== undefined) return Math.round(seconds * 1e6) / 1e6
  throw new Failure(400, 'unreadable_file', `'${param}': the recording has no length.`, { param })
}

/** What is wrong with a file, as its field's failure. */
export async function naming<Result>(param: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof MediaError)) throw error
    const { code, message } = error
    if (code === 'file_too_large')
      throw new Failure(413, 'request_too_large', `'${param}': ${message}`, { param, cause: error })
    throw new Failure(code === 'wrong_file_type' ? 415 : 400, code, `'${param}': ${message}`, { param, cause: error })
  }
}
