// A fault in what a caller sent, in the caller's own words; the routes put it into the envelope of the caller's format.

/** Always answered with 400. `param` is the field as the caller wrote it, `messages[0].content`. */
export class WireError extends Error {
  override name = 'WireError'
  readonly param: string | null
  readonly code: string
  constructor(message: string, param: string | null = null, code = 'invalid_value') {
    super(message)
    this.param = param
    this.code = code
  }
}

/** Fields by which other gateways let a caller choose the address or the credential of a call. */
const FORBIDDEN = ['api_base', 'base_url', 'api_key', 'litellm_params', 'custom_llm_provider']
/** What SDKs put into the body, the head and the address before they send: it stands in a body by mistake or to smuggle. */
const SDK_ONLY = ['extra_body', 'extra_headers', 'extra_query']

/** Refuses a body that tries to steer where we call and as whom. */
export function refuseForbidden(body: object): void {
  const name = [...FORBIDDEN, ...SDK_ONLY].find((field) => Object.hasOwn(body, field))
  if (!name) return
  throw new WireError(`'${name}' is not accepted: the router alone decides where it calls.`, name, 'unknown_parameter')
}

/** `messages[0].content` of ['messages', 0, 'content']. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part)),
    '',
  )
}
