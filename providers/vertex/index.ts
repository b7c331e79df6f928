// Google Cloud's Vertex AI: Imagen and Veo, as a project of one's own. https://cloud.google.com/vertex-ai (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../../src/contract.ts'
import { makeAccess, serviceAccount, TOKEN_URL } from './access.ts'
import { imagen, imagenOptions } from './imagen.ts'
import { veo } from './veo.ts'

const settings = z
  .object({
    project: z.string().min(1),
    location: z.string().min(1).default('us-central1'),
    /** The JSON of a key, or the file that VERTEX_SERVICE_ACCOUNT_FILE names. */
    service_account: serviceAccount.optional(),
    /** Of one's own making (`gcloud auth print-access-token`); it wins over the key, and lives for an hour. */
    access_token: z.string().min(1).optional(),
    /** That of the location, if absent. */
    base_url: z.url().optional(),
    token_url: z.url().default(TOKEN_URL),
  })
  .refine(({ service_account, access_token }) => service_account || access_token, {
    path: ['service_account'],
    message: 'is required, or VERTEX_ACCESS_TOKEN is',
  })

export default defineProvider({
  contract: 1,
  name: 'Vertex AI',
  docs: 'https://cloud.google.com/vertex-ai/generative-ai/pricing',
  settings,
  environment: { project: 'GOOGLE_CLOUD_PROJECT', location: 'GOOGLE_CLOUD_LOCATION' },
  options: z.strictObject(imagenOptions),
  connect: ({ project, location, service_account, access_token, base_url, token_url }, { fetch }) => {
    const provider = 'Vertex AI'
    const host = location === 'global' ? 'aiplatform.googleapis.com' : `${location}-aiplatform.googleapis.com`
    const access = makeAccess({ provider, account: service_account, access_token, token_url, fetch })
    const server = { provider, base_url: base_url ?? `https://${host}`, project, location, access, fetch }
    return { image: imagen(server), video: veo(server) }
  },
})
