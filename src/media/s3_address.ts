// STORAGE_URL for S3 and what speaks like it (R2, MinIO, Garage, Ceph): read once, refused with the reason. No secret
// belongs in it.
import { StorageError } from './storage_error.ts'

export interface S3Address {
  /** https://host[:port] */
  endpoint: string
  bucket: string
  /** Empty, or ends in a slash. */
  prefix: string
  region: string
}

export interface S3Credentials {
  access_key_id: string
  secret_access_key: string
  session_token?: string
}

const BUCKET = /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i
const PREFIX = /^([A-Za-z0-9][A-Za-z0-9._-]*\/)*$/
const PARAMETERS = ['endpoint', 'region']
const SHAPE = 's3://bucket/prefix?endpoint=https://host&region=name'

/** `s3://bucket/prefix?endpoint=https://…&region=…`; without an endpoint it is AWS's own of the region. Throws StorageError. */
export function readS3Address(storage_url: string): S3Address {
  const url = URL.parse(storage_url)
  if (!url) throw refused(`cannot be read; it should look like ${SHAPE}`)
  if (url.username || url.password)
    throw refused('must not contain a key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
  const stray = [...url.searchParams.keys()].find((name) => !PARAMETERS.includes(name))
  if (stray !== undefined) throw refused(`has the unknown parameter '${stray.slice(0, 50)}'; it takes endpoint, region`)
  if (!BUCKET.test(url.hostname)) throw refused(`does not name a bucket; it should look like ${SHAPE}`)
  const path = url.pathname.replace(/^\/+|\/+$/g, '')
  const prefix = path === '' ? '' : `${path}/`
  if (!PREFIX.test(prefix)) throw refused('has a prefix with other than letters, digits and . _ - /')
  const given = url.searchParams.get('endpoint')
  const region = url.searchParams.get('region') ?? defaultRegion(given)
  return { endpoint: endpointOf(given, region), bucket: url.hostname, prefix, region }
}

/** R2 knows one region; others take the oldest where they have none of their own. */
const defaultRegion = (endpoint: string | null) =>
  endpoint !== null && URL.parse(endpoint)?.hostname.endsWith('.r2.cloudflarestorage.com') ? 'auto' : 'us-east-1'

function endpointOf(given: string | null, region: string): string {
  if (given === null) return `https://s3.${region}.amazonaws.com`
  const url = URL.parse(given)
  if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search || url.username)
    throw refused('has an endpoint that is not like https://host: write it without bucket, path or key')
  return url.origin
}

const refused = (why: string) => new StorageError(`STORAGE_URL ${why}.`)
