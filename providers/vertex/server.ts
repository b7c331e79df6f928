// One JSON call of a model's method at Google Cloud, as the project that pays for it.
import type { z } from 'zod'
import { type Call, type JsonObject, ProviderError, type ProviderFetch } from '../../src/contract.ts'
import { ask } from '../../src/protocols/media-tasks/client.ts'
import type { Access } from './access.ts'

export interface VertexServer {
  provider: string
  /** Without a version: https://us-central1-aiplatform.googleapis.com. */
  base_url: string
  project: string
  location: string
  access: Access
  fetch: ProviderFetch
}

export async function askModel<Schema extends z.ZodType>(
  { project, location, access, ...server }: VertexServer,
  call: Call,
  method: string,
  body: JsonObject,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const authorization = `Bearer ${await access.token(call.signal)}`
  const place = `projects/${encodeURIComponent(project)}/locations/${encodeURIComponent(location)}`
  const path = `/v1/${place}/publishers/google/models/${encodeURIComponent(call.upstream)}:${method}`
  try {
    return await ask({ ...server, headers: () => ({ authorization }) }, call, { method: 'POST', path, body }, schema)
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
    if (error.kind === 'authentication') access.forget()
    // A prompt that is refused unread is told as an invalid argument.
    const { kind, message, detail } = error
    throw kind === 'invalid_request' && POLICY.test(message)
      ? new ProviderError('content_policy', message, detail)
      : error
  }
}

/** What Google's filters say of a prompt or a picture; the codes in it are for its support. */
export const POLICY =
  /responsible ai|usage guidelines|sensitive words|content polic|safety|prohibited|person\/face|\brai\b/i
