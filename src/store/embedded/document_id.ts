/** The `_id` of a document about to be stored: found in its bytes, made where missing, put in front. It writes no tables. */
import { ObjectId } from 'bson'
import { decodeValue, eachElement } from './decode.ts'
import { encodeDocument, joinDocuments } from './encode.ts'
import { CommandError } from './errors.ts'
import { isDocument, typeOf } from './values.ts'

/** The document as MongoDB stores it, `_id` in front, made if the client gave none. */
export function withIdFirst(bytes: Buffer): { bytes: Buffer; id: unknown } {
  let found: { start: number; end: number; id: unknown } | undefined
  eachElement(bytes, (name, type, start, value_start, end) => {
    if (name === '_id') found = { start, end, id: decodeValue(bytes, type, value_start) }
    else if (name.startsWith('$')) throw dollarField(name)
  })
  if (found === undefined) {
    const id = new ObjectId()
    return { bytes: joinDocuments([encodeDocument({ _id: id }), bytes]), id }
  }
  const { start, end, id } = found
  checkId(id)
  if (start === 4) return { bytes, id }
  const parts = [bytes.subarray(0, 4), bytes.subarray(start, end), bytes.subarray(4, start), bytes.subarray(end)]
  return { bytes: Buffer.concat(parts), id }
}

const dollarField = (name: string): CommandError =>
  new CommandError('DollarPrefixedFieldName', `The dollar ($) prefixed field '${name}' is not valid for storage.`)

/** Throws for an `_id` that MongoDB does not take. */
function checkId(id: unknown): void {
  const type = typeOf(id)
  if (type === 'array' || type === 'regex' || type === 'undefined') {
    throw new CommandError('InvalidIdField', `The '_id' value cannot be of type ${type}`)
  }
  if (isDocument(id) && Object.keys(id)[0]?.startsWith('$')) throw dollarField(Object.keys(id)[0] ?? '')
}
