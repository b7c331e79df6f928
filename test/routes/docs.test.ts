// The catalog of routes against the routes that there are, and what /docs and /openapi.json make of it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeRouters } from '../../src/app.ts'
import { CATALOG } from '../../src/routes/catalog.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

let router: TestRouter

beforeAll(async () => {
  router = await testRouter()
})
afterAll(() => router.close())

describe('the catalog of routes', () => {
  it('names every route that there is, with the key it asks for, and no other', () => {
    const { forAll, forCallers, forAdmins } = makeRouters(router.services, () => true)
    const served = [forAll, forCallers, forAdmins].flatMap(({ stack }) =>
      stack.flatMap(({ path, methods }) =>
        methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${path}`),
      ),
    )
    expect(CATALOG.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([...new Set(served)].sort())
  })

  it('is a page for people', async () => {
    const page = await fetch(`${router.url}/docs`)
    expect(page.headers.get('content-type')).toContain('text/html')
    const text = await page.text()
    for (const { path, summary } of CATALOG) expect([text.includes(path), text.includes(summary)]).toEqual([true, true])
  })

  it('is an OpenAPI document for machines', async () => {
    const document = (await (await fetch(`${router.url}/openapi.json`)).json()) as { openapi: string; paths: object }
    expect(document.openapi).toBe('3.1.0')
    expect(Object.keys(document.paths)).toContain('/v1/jobs/{id}')
  })

  it('asks for a key wherever it says so', async () => {
    for (const { method, path, key } of CATALOG) {
      const { status } = await fetch(`${router.url}${path.replace(/[:*]\w+/g, 'x')}`, { method })
      expect([path, status === 401]).toEqual([path, key !== 'none'])
    }
  })
})
