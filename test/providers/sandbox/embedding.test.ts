// The sandbox's embeddings: unit vectors, near where texts are near, in both encodings.
import { describe, expect, test } from 'vitest'
import type { Call, EmbeddingRequest } from '../../../src/contract.ts'
import { callFor, capability } from './sandbox.ts'

const embedding = capability('embedding')

async function embed(input: string[] | number[][], request: Partial<EmbeddingRequest> = {}, call: Partial<Call> = {}) {
  const whole: EmbeddingRequest = { model: 'sandbox/embed', input, encoding_format: 'float', ...request }
  const progress = await embedding.start(whole, callFor('embed', call))
  if (progress.status !== 'done') throw new Error(`not done: ${progress.status}`)
  return {
    vectors: progress.output.embeddings,
    usage: progress.usage,
    estimate: embedding.estimate?.(whole, 'embed', {}),
  }
}
const numbers = (vector: number[] | string | undefined): number[] => (Array.isArray(vector) ? vector : [])
const product = (a: number[], b: number[]) => a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0)

describe('an embedding', () => {
  test.each([undefined, 8, 3072])('with dimensions %s is a unit vector of that many numbers', async (dimensions) => {
    const { vectors } = await embed(['hello world'], dimensions === undefined ? {} : { dimensions })
    const vector = numbers(vectors[0])
    expect(vector).toHaveLength(dimensions ?? 256)
    expect(product(vector, vector)).toBeCloseTo(1, 5)
  })

  test('is nearer to a text that shares words than to one that does not', async () => {
    const { vectors } = await embed(['The trains run on time', 'a train ran on time today', 'Bananas are yellow fruit'])
    const [trains = [], train = [], fruit = []] = vectors.map(numbers)
    expect(product(trains, train)).toBeGreaterThan(product(trains, fruit) + 0.2)
  })

  test('comes as base64 of little-endian float32 with the same numbers', async () => {
    const [float, base64] = [await embed(['hello']), await embed(['hello'], { encoding_format: 'base64' })]
    const bytes = Buffer.from(String(base64.vectors[0]), 'base64')
    expect(Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4))).toEqual(
      numbers(float.vectors[0]),
    )
  })

  test('is made for each input, in order, of text or of tokens', async () => {
    const { vectors } = await embed(['a', 'b', 'a'])
    expect(vectors[0]).toEqual(vectors[2])
    expect(vectors[0]).not.toEqual(vectors[1])
    const tokens = await embed([[1, 2, 3], [4]])
    expect(tokens.vectors).toHaveLength(2)
    expect(tokens.usage.meters).toEqual({ input_tokens: 4 })
  })

  test('exists for text without any word, and consumes no more than was estimated', async () => {
    for (const text of ['…', ' ', '👩‍👩‍👧', 'plain words here', 'ünïcödé 日本語']) {
      const { vectors, usage, estimate } = await embed([text])
      expect(product(numbers(vectors[0]), numbers(vectors[0]))).toBeCloseTo(1, 5)
      expect(usage.meters.input_tokens).toBeGreaterThan(0)
      expect(usage.meters.input_tokens).toBeLessThanOrEqual(estimate?.meters.input_tokens ?? 0)
    }
  })

  test.each<[string[] | number[][], Partial<EmbeddingRequest>, string]>([
    [[], {}, 'input'],
    [['a', ''], {}, 'input'],
    [[[]], {}, 'input'],
    [['[[nonsense]]'], {}, 'input'],
    [['a'], { dimensions: 7 }, 'dimensions'],
    [['a'], { dimensions: 3073 }, 'dimensions'],
  ])('of %j with %j is refused, naming %s', async (input, request, param) => {
    await expect(embed(input, request)).rejects.toMatchObject({ kind: 'invalid_request', detail: { param } })
  })

  test('obeys the orders in its texts', async () => {
    await expect(embed(['a', 'b [[fail:quota]]'])).rejects.toMatchObject({ kind: 'quota' })
    await expect(embed(['[[fail:timeout once]]'], {}, { job: 'job_e' })).rejects.toMatchObject({ kind: 'timeout' })
    const started = performance.now()
    expect((await embed(['[[delay:20ms]] [[fail:timeout once]]'], {}, { job: 'job_e' })).vectors).toHaveLength(1)
    expect(performance.now() - started).toBeGreaterThanOrEqual(19)
  })
})
