// Bodies of the media routes: JSON or a form, by content type, as one and the same fields, with the files apart.
import type { Asset, JsonObject } from '../contract.ts'
import type { Services } from '../flow/services.ts'
import { readJson } from '../http/bodies.ts'
import type { Context } from '../http/context.ts'
import { readMultipart, type UploadedFile } from '../http/multipart.ts'
import { RequestError } from '../http/request_error.ts'
import { type FormTypes, readForm } from '../protocols/openai-media/fields.ts'
import { type Extensions, takeExtensions } from './extensions.ts'

/** Sixteen pictures and a mask. */
const FILES_MAX = 17
const FIELDS_MAX = 200

export interface MediaBody {
  /** Without our own extensions. */
  fields: JsonObject
  files: UploadedFile[]
  extensions: Extensions
}

/** Throws RequestError and Failure. */
export async function readMediaBody(context: Context, services: Services, types: FormTypes): Promise<MediaBody> {
  const isForm = context.get('content-type').trim().toLowerCase().startsWith('multipart/')
  if (isForm) return readFormBody(context, services, types)
  const { value } = await readJson(context.req, services.config.body_bytes_max)
  const { body, extensions } = takeExtensions(value)
  return { fields: body, files: [], extensions }
}

export async function readFormBody(context: Context, services: Services, types: FormTypes): Promise<MediaBody> {
  const most = services.config.body_bytes_max
  const { fields, files } = await readMultipart(context.req, {
    max_file_bytes: most,
    max_files: FILES_MAX,
    max_fields: FIELDS_MAX,
    max_field_bytes: most,
    max_total_bytes: most,
  })
  const { body, extensions } = takeExtensions(fields)
  return { fields: readForm(body, types), files, extensions }
}

/** The uploads by the fields that may have one. Throws RequestError for another field, or a second file where one may be. */
export function filesByField<Field extends string>(
  files: UploadedFile[],
  most: Record<Field, number>,
): Record<Field, Asset[]> {
  const names = Object.keys(most) as Field[]
  const stray = files.find(({ field }) => !names.includes(field as Field))
  if (stray) {
    const where = names.length > 0 ? `files go under ${names.join(', ')}` : 'leave the file out'
    const message = `'${stray.field.slice(0, 100)}' takes no file here; ${where}.`
    throw new RequestError(400, 'unknown_parameter', message, stray.field.slice(0, 100))
  }
  const entries = names.map((name) => {
    const own = files.filter(({ field }) => field === name)
    if (own.length <= most[name]) return [name, own.map(assetOf)] as const
    throw new RequestError(400, 'invalid_value', `'${name}' takes at most ${most[name]} files.`, name)
  })
  return Object.fromEntries(entries) as Record<Field, Asset[]>
}

const assetOf = ({ data, media_type, filename }: UploadedFile): Asset => ({
  type: 'bytes',
  data,
  media_type,
  ...(filename !== undefined && { filename }),
})
