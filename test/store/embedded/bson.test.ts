// The store's own BSON: written as bson writes it, read back as it was, and spliced as if it had been decoded whole.
import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  type Document as BsonDocument,
  Code,
  Decimal128,
  Double,
  MaxKey,
  MinKey,
  ObjectId,
  serialize,
  Timestamp,
} from 'bson'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeDocument } from '../../../src/store/embedded/decode.ts'
import { encodeDocument } from '../../../src/store/embedded/encode.ts'
import { CommandError } from '../../../src/store/embedded/errors.ts'
import { StoredDocument } from '../../../src/store/embedded/stored.ts'
import { compileUpdate } from '../../../src/store/embedded/update.ts'
import { type Document, setField, toDouble } from '../../../src/store/embedded/values.ts'

const leaf: fc.Arbitrary<unknown> = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc.integer(),
  fc.double().map(toDouble),
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
  fc.boolean(),
  fc.date({ noInvalidDate: true }),
  fc.constantFrom<unknown>(
    null,
    -0,
    new Double(5),
    9007199254740993n,
    -(1n << 63n),
    new ObjectId('0123456789abcdef01234567'),
    new Binary(Buffer.from('bytes'), 128),
    new BSONRegExp('a+', 'i'),
    new BSONSymbol('symbol'),
    new Code('x'),
    new Code('x', { y: 1 }),
    Decimal128.fromString('1.50'),
    new MaxKey(),
    new MinKey(),
    new Timestamp(5n),
  ),
)

const name = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.constantFrom('__proto__', 'constructor', 'length'),
)

const toDocument = (entries: [string, unknown][]): Document => {
  const document: Document = {}
  for (const [key, value] of entries) setField(document, key, value)
  return document
}

const { document } = fc.letrec<{ value: unknown; document: Document }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, leaf, fc.array(tie('value'), { maxLength: 4 }), tie('document')),
  document: fc
    .array(
      fc.tuple(name, tie('value')).filter(([key]) => !key.includes('\0')),
      { maxLength: 6 },
    )
    .map(toDocument),
}))

describe('BSON', () => {
  it('is written byte for byte as bson writes it', () => {
    fc.assert(
      fc.property(document, (given) => {
        const expected = Buffer.from(serialize(given as BsonDocument, { ignoreUndefined: false }))
        expect(encodeDocument(given).toString('hex')).toBe(expected.toString('hex'))
      }),
    )
  })

  it('is read back into what it was written from', () => {
    fc.assert(
      fc.property(document, (given) => {
        const bytes = encodeDocument(given)
        expect(encodeDocument(decodeDocument(bytes)).equals(bytes)).toBe(true)
      }),
    )
  })
})

/** More documents in one field than are written anew each time. */
const many = Object.fromEntries(
  Array.from({ length: 20 }, (_, index) => [`m${index}`, { x: index, y: { z: 1n }, l: [1, { x: 1 }] }]),
)
const in_many = fc.constantFrom('m.m1', 'm.m1.x', 'm.m1.y.z', 'm.m1.y', 'm.m2.l', 'm.m2.l.1.x', 'm.m3', 'm.new', 'm')
const path = fc.oneof(fc.constantFrom('a', 'b', 'c', 'd', 'a.x', 'a.y.z', 'b.1', 'c.x', 'e'), in_many)
const operand = fc.oneof(leaf, document)
const update = fc
  .record(
    {
      $set: fc.dictionary(path, operand, { maxKeys: 3 }),
      $unset: fc.dictionary(path, fc.constant(''), { maxKeys: 2 }),
      $inc: fc.dictionary(path, fc.constantFrom(1, 1n, 0n, new Double(1)), { maxKeys: 2 }),
    },
    { requiredKeys: ['$set'] },
  )
  .map((given) => given as Document)
const stored = fc
  .record({ a: operand, b: fc.array(leaf, { maxLength: 3 }), c: document, d: operand }, { requiredKeys: [] })
  .map((fields): Document => ({ _id: 1, ...fields, m: many }))

/** What cannot be carried out changes nothing; undefined then. */
function attempt<Result>(work: () => Result): Result | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof CommandError) return undefined
    throw error
  }
}

describe('a stored document', () => {
  it('comes out of many updates as if it had been decoded and encoded whole at each', () => {
    fc.assert(
      fc.property(stored, fc.array(update, { maxLength: 6 }), fc.boolean(), (given, updates, settles) => {
        let expected = encodeDocument(given)
        const kept = new StoredDocument(1, 'id', expected)
        for (const each of updates) {
          const change = attempt(() => compileUpdate(each))
          if (change === undefined || change.replacement) continue
          const whole = decodeDocument(expected)
          const after = attempt(() => {
            change.apply(whole, false)
            return encodeDocument(whole)
          })
          const before = expected
          if (after !== undefined) expected = after
          const changed = attempt(() => kept.apply(change))
          if (changed === undefined) kept.takeBack()
          else if (changed) kept.keep(change)
          expect(changed === true).toBe(!expected.equals(before))
          if (settles) kept.settle()
          expect(kept.encode().toString('hex')).toBe(expected.toString('hex'))
          expect(encodeDocument(kept.whole()).equals(expected)).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })
})
