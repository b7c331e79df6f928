// The order-preserving keys against the comparison they must agree with.
import { Decimal128, Double, Long, MaxKey, MinKey, ObjectId, Timestamp } from 'bson'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareValues } from '../../../src/store/embedded/compare.ts'
import { decodeDocument } from '../../../src/store/embedded/decode.ts'
import { encodeDocument } from '../../../src/store/embedded/encode.ts'
import { encodeCompoundKey, encodeKey } from '../../../src/store/embedded/keys.ts'

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const near_2_53 = fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n })
const number = fc.oneof(
  int64,
  near_2_53,
  fc.integer(),
  fc.double(),
  fc.double().map((value) => new Double(value)),
  fc.constantFrom(0, -0, Number.NaN, 9007199254740992, Number.POSITIVE_INFINITY, 2 ** 63),
  fc
    .constantFrom('0.1', '1', '9007199254740993', '-1E+10', '1E-20', 'NaN', 'Infinity')
    .map((text) => Decimal128.fromString(text)),
)
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom('', '\0', 'a', 'a\0', 'a\0b', '\uffff', '😀'),
)
const scalar = fc.oneof(
  number,
  text,
  fc.boolean(),
  fc.constantFrom(null, undefined, new MinKey(), new MaxKey()),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => new ObjectId(bytes)),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => new Timestamp(Long.fromBigInt(value, true))),
)
const value = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('a', 'b', 'c'), scalar, { maxKeys: 3 }),
)

const sign = (order: number): number => Math.sign(order) + 0

describe('keys', () => {
  it('compare as bytes exactly as the values compare', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(sign(Buffer.compare(encodeKey(a), encodeKey(b)))).toBe(sign(compareValues(a, b)))
      }),
      { numRuns: 3000 },
    )
  })

  it('keep the order of numbers of different types beyond 2^53', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        expect(sign(Buffer.compare(encodeKey(a), encodeKey(b)))).toBe(sign(compareValues(a, b)))
      }),
      { numRuns: 3000 },
    )
    expect(compareValues(9007199254740993n, 9007199254740992)).toBeGreaterThan(0)
    expect(compareValues(1n, new Double(1))).toBe(0)
  })

  it('order compound keys field by field, descending ones the other way round', () => {
    const pair = fc.tuple(value, value)
    const directions = fc.tuple(fc.constantFrom(1 as const, -1 as const), fc.constantFrom(1 as const, -1 as const))
    fc.assert(
      fc.property(pair, pair, directions, (a, b, order) => {
        const wanted = compareValues(a[0], b[0]) * order[0] || compareValues(a[1], b[1]) * order[1]
        expect(sign(Buffer.compare(encodeCompoundKey(a, order), encodeCompoundKey(b, order)))).toBe(sign(wanted))
      }),
      { numRuns: 3000 },
    )
  })
})

describe('reading and writing BSON', () => {
  it('keeps Int32, Int64 and double apart', () => {
    const document = { int: 5, long: 5n, double: new Double(5), half: 0.5, big: 1e300, zero: -0 }
    const read = decodeDocument(encodeDocument(document))
    expect(read).toEqual({ ...document })
    expect(encodeDocument(read)).toEqual(encodeDocument(document))
  })

  it('gives back the bytes it was given', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ minLength: 1, maxLength: 4 }).filter((key) => !key.includes('\0')),
          value,
        ),
        (document) => {
          const bytes = encodeDocument(document)
          expect(encodeDocument(decodeDocument(bytes))).toEqual(bytes)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('refuses bytes that are no document', () => {
    expect(() => decodeDocument(Buffer.from([1, 2, 3]))).toThrow('Invalid BSON')
    const bytes = encodeDocument({ text: 'hello' })
    bytes.writeInt32LE(4000, 4 + 1 + 5)
    expect(() => decodeDocument(bytes)).toThrow('Invalid BSON')
  })
})
