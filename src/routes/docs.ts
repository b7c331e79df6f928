// /docs for people and /openapi.json for machines, both made once from the catalog of routes.
import type { ApiRouter } from '../http/context.ts'
import { CATALOG, type RouteEntry } from './catalog.ts'

export function docsRoutes(router: ApiRouter): void {
  const page = htmlPage()
  const document = JSON.stringify(openApi())
  router.get('/docs', async (context) => {
    context.type = 'text/html; charset=utf-8'
    context.set('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
    context.body = page
  })
  router.get('/openapi.json', async (context) => {
    context.type = 'application/json; charset=utf-8'
    context.body = document
  })
}

function openApi() {
  const paths: Record<string, Record<string, object>> = {}
  for (const entry of CATALOG) {
    const path = entry.path.replace(/[:*](\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [entry.method.toLowerCase()]: operation(entry) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Switchyard',
      version: '1',
      description:
        'One endpoint for text, image, video and audio models of many providers, charged only for work that succeeded.',
    },
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: ERROR_SCHEMA },
    },
  }
}

function operation({ summary, group, key, path, body, answers = ['application/json'] }: RouteEntry) {
  const error = {
    description: 'What happened, where, and what to do',
    content: jsonContent({ $ref: '#/components/schemas/Error' }),
  }
  return {
    summary,
    tags: [group],
    ...((key === 'caller' || key === 'admin') && { security: [{ key: [] }] }),
    parameters: [...path.matchAll(/[:*](\w+)/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    ...(body && { requestBody: { required: true, content: content(body) } }),
    responses: { 200: { description: 'Done', content: content(answers) }, '4XX': error, '5XX': error },
  }
}

const content = (types: readonly string[]) =>
  Object.fromEntries(types.map((type) => [type, { schema: type.includes('json') ? { type: 'object' } : {} }]))
const jsonContent = (schema: object) => ({ 'application/json': { schema } })

const ERROR_SCHEMA = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: ['string', 'null'] },
        code: { type: ['string', 'null'] },
      },
    },
  },
}

function htmlPage(): string {
  const groups = Map.groupBy(CATALOG, ({ group }) => group)
  const sections = [...groups].map(([group, entries]) => `<h2>${group}</h2><table>${entries.map(row).join('')}</table>`)
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Switchyard: every route</title><style>${STYLE}</style>
<h1>Switchyard</h1>
<p>Keys go into <code>Authorization: Bearer …</code>, or where the format’s own SDK puts them. Errors come in the format’s
own envelope. The same for machines:
<a href="/openapi.json">/openapi.json</a>.</p>
${sections.join('\n')}</html>`
}

const KEYS = { none: 'no key', caller: 'API key', admin: 'admin key', signature: 'signed address' }

const row = ({ method, path, summary, key }: RouteEntry) =>
  `<tr><td><b>${method}</b></td><td><code>${path}</code></td><td>${summary}</td><td>${KEYS[key]}</td></tr>`

const STYLE = `:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:0}h2{margin-top:2rem;font-size:1.1rem}table{border-collapse:collapse;width:100%}
td{padding:.35rem .6rem .35rem 0;border-top:1px solid #8884;vertical-align:top}td:first-child{width:4.5rem}
td:nth-child(2){width:20rem}td:last-child{width:6rem;text-align:right;opacity:.7}code{font-size:.92em}`
