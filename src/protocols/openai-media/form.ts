// Fields and files as one multipart body, in the manner of OpenAI's SDKs: lists as name[], objects as name[key].
import type { Json, JsonObject } from '../../contract.ts'

/** The whole body in memory, with the content type that names its boundary. */
export async function encodeForm(
  fields: JsonObject,
  files: Record<string, File | File[]>,
): Promise<{ body: Uint8Array; content_type: string }> {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) append(form, name, value)
  for (const [name, file] of Object.entries(files)) {
    if (Array.isArray(file)) for (const each of file) form.append(`${name}[]`, each)
    else form.append(name, file)
  }
  const encoded = new Response(form)
  const content_type = encoded.headers.get('content-type') ?? 'multipart/form-data'
  return { body: new Uint8Array(await encoded.arrayBuffer()), content_type }
}

function append(form: FormData, name: string, value: Json): void {
  if (value === null) return
  if (Array.isArray(value)) for (const each of value) append(form, `${name}[]`, each)
  else if (typeof value === 'object')
    for (const [key, each] of Object.entries(value)) append(form, `${name}[${key}]`, each)
  else form.append(name, String(value))
}
