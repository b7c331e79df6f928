// The signature that Google's models want back with each call of a tool, kept in the call's id: clients hand ids back
// untouched, and drop fields that they do not know. It never reaches a provider within an id.

/** No vendor's ids have it; letters that every vendor takes in an id. */
const MARK = '_signed_'
/** A longer one is left out of the id. No client is known to limit ids, but they stand in every later request. */
const SIGNATURE_MAX = 8_192

/** The id that the caller is given. */
export function signedId(id: string, signature: string | undefined): string {
  if (signature === undefined || signature.length > SIGNATURE_MAX || id.includes(MARK)) return id
  return id + MARK + Buffer.from(signature).toString('base64url')
}

/** What a caller gave back: the id as the provider knows it, and the signature that was in it. */
export function readCallId(id: string): { id: string; signature?: string } {
  const at = id.indexOf(MARK)
  if (at < 0) return { id }
  return { id: id.slice(0, at), signature: Buffer.from(id.slice(at + MARK.length), 'base64url').toString() }
}

const ID_FIELDS = new Set(['id', 'call_id', 'tool_call_id', 'tool_use_id'])

/** A member of a body as providers are told it, if it is the id of a call. */
export const withPlainId = (name: string, member: unknown): unknown =>
  typeof member === 'string' && ID_FIELDS.has(name) ? plainId(member) : member

/** The id alone. */
export const plainId = (id: string): string => readCallId(id).id
