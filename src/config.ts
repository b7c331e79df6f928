// The configuration: the environment and .env, read once and validated. Nobody else reads process.env.
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { z } from 'zod'

/** Everything an operator set that cannot be, in one error: one line each, saying what and how to mend it. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

export type Environment = Record<string, string | undefined>

const onOff = z.enum(['on', 'off']).transform((value) => value === 'on')
const whole = (least: number, most: number) => z.coerce.number().int().min(least).max(most)
const folder = z.string().min(1)

const ENCRYPTION_KEYS_SHAPE = 'must be keys like name:base64-of-32-bytes, with commas between them, the newest first'

/** `name:base64,…`; undefined for anything else. */
export function parseEncryptionKeys(text: string): EncryptionKey[] | undefined {
  const keys = text.split(',').map((each) => {
    const [, id = '', base64 = ''] = /^\s*([a-z0-9_-]{1,20}):([A-Za-z0-9+/_-]{43}=?)\s*$/.exec(each) ?? []
    return { id, key: Buffer.from(base64, 'base64') }
  })
  const unique = new Set(keys.map(({ id }) => id)).size === keys.length
  return unique && keys.every(({ key }) => key.length === 32) ? keys : undefined
}

/** Never says the text itself: it is a secret. */
function readKeys(text: string, check: z.RefinementCtx): EncryptionKey[] {
  const keys = parseEncryptionKeys(text)
  if (!keys) check.addIssue({ code: 'custom', message: ENCRYPTION_KEYS_SHAPE })
  return keys ?? []
}

function readHosts(text: string, check: z.RefinementCtx): string[] {
  const hosts = text.split(',').map((host) => host.trim().toLowerCase())
  if (!hosts.every((host) => /^([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?$/.test(host)))
    check.addIssue({
      code: 'custom',
      message: 'must be hosts like 127.0.0.1 or localhost:9000, with commas between them',
    })
  return hosts
}

function readFault(text: string, check: z.RefinementCtx): Config['fault'] {
  const [, point = '', times = '1'] = /^(K(?:[1-9]|1[0-2]))(?::([1-9]\d{0,8}))?$/.exec(text) ?? []
  if (point === '') check.addIssue({ code: 'custom', message: 'must be one of K1 to K12, or K7:3 for the third time' })
  return { point, spared: Number(times) - 1 }
}

const Settings = z.object({
  PORT: whole(0, 65_535).default(8080),
  HOST: z.string().min(1).default('127.0.0.1'),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  DATA_DIR: folder.default('./data'),
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, 'must begin with mongodb:// or mongodb+srv://')
    .optional(),
  STORE_SYNC: z.enum(['normal', 'full']).default('normal'),
  ADMIN_KEY: z.string().min(32, 'must have at least 32 characters').optional(),
  SANDBOX: onOff.default(true),
  PROVIDERS_DIR: folder.optional(),
  PRICING_DIR: folder.optional(),
  STORAGE_URL: z.string().min(1).optional(),
  AWS_ACCESS_KEY_ID: z.string().optional(),
  AWS_SECRET_ACCESS_KEY: z.string().optional(),
  AWS_SESSION_TOKEN: z.string().optional(),
  ENCRYPTION_KEYS: z.string().transform(readKeys).optional(),
  WEBHOOK_ALLOWED_HOSTS: z.string().transform(readHosts).default([]),
  RETENTION_DAYS: whole(1, 3650).default(7),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  TRUST_PROXY: onOff.default(false),
  BODY_BYTES_MAX: whole(1024, 2 ** 30).default(64 * 2 ** 20),
  FAULT: z.string().transform(readFault).optional(),
  NODE_ENV: z.string().optional(),
})

/** 32 bytes under a name that is written beside what they encrypt. */
export interface EncryptionKey {
  id: string
  key: Buffer
}

export interface Config {
  port: number
  host: string
  public_url: string | undefined
  data_dir: string
  mongodb_uri: string | undefined
  store_sync: 'normal' | 'full'
  admin_key: string | undefined
  sandbox: boolean
  /** Searched in this order; later folders add to earlier ones. */
  provider_dirs: string[]
  pricing_dirs: string[]
  storage_url: string | undefined
  /** For s3://. */
  s3_credentials: { access_key_id: string; secret_access_key: string; session_token?: string } | undefined
  /** The first one signs and encrypts, all verify and decrypt; absent: made in the data folder. */
  encryption_keys: EncryptionKey[] | undefined
  /** `host` or `host:port` in lower case that webhooks may go to though they are private or without TLS. */
  webhook_allowed_hosts: string[]
  retention_days: number
  log_level: string
  trust_proxy: boolean
  /** The largest request body, uploads included. */
  body_bytes_max: number
  /** Where this process must kill itself, on a test site. */
  fault: { point: string; spared: number } | undefined
  production: boolean
  /** For providers' own settings, which only the registry reads. */
  environment: Environment
}

const HOME = resolve(import.meta.dirname, '..')

/** Reads the environment over `.env` of the working folder. `<NAME>_FILE` names a file that holds the value. Throws ConfigError. */
export function readConfig(environment: Environment = process.env, working_dir: string = process.cwd()): Config {
  const all = readFiles({ ...readDotEnv(working_dir), ...withoutEmpty(environment) })
  const parsed = Settings.safeParse(all)
  if (!parsed.success) {
    const lines = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    throw new ConfigError(lines.join('\n'))
  }
  const settings = parsed.data
  const production = settings.NODE_ENV === 'production'
  if (production && !settings.ADMIN_KEY)
    throw new ConfigError('ADMIN_KEY: required with NODE_ENV=production (at least 32 characters)')
  if (production && !settings.ENCRYPTION_KEYS)
    throw new ConfigError(
      'ENCRYPTION_KEYS: required with NODE_ENV=production. Make one with: echo "k1:$(openssl rand -base64 32)"',
    )
  if (production && settings.FAULT)
    throw new ConfigError('FAULT: kills this router on purpose, for tests; it cannot be set with NODE_ENV=production')
  const dirs = (own: string, extra: string | undefined) => [
    join(HOME, own),
    ...(extra ? [resolve(working_dir, extra)] : []),
  ]
  return {
    port: settings.PORT,
    host: settings.HOST,
    public_url: settings.PUBLIC_URL?.replace(/\/+$/, ''),
    data_dir: resolve(working_dir, settings.DATA_DIR),
    mongodb_uri: settings.MONGODB_URI,
    store_sync: settings.STORE_SYNC,
    admin_key: settings.ADMIN_KEY,
    sandbox: settings.SANDBOX,
    provider_dirs: dirs('providers', settings.PROVIDERS_DIR),
    pricing_dirs: dirs('pricing', settings.PRICING_DIR),
    storage_url: settings.STORAGE_URL,
    s3_credentials: s3Credentials(settings),
    encryption_keys: settings.ENCRYPTION_KEYS,
    webhook_allowed_hosts: settings.WEBHOOK_ALLOWED_HOSTS,
    retention_days: settings.RETENTION_DAYS,
    log_level: settings.LOG_LEVEL,
    trust_proxy: settings.TRUST_PROXY,
    body_bytes_max: settings.BODY_BYTES_MAX,
    fault: settings.FAULT,
    production,
    environment: all,
  }
}

function s3Credentials(settings: z.infer<typeof Settings>): Config['s3_credentials'] {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = settings
  if (AWS_ACCESS_KEY_ID === undefined || AWS_SECRET_ACCESS_KEY === undefined) return undefined
  return {
    access_key_id: AWS_ACCESS_KEY_ID,
    secret_access_key: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN !== undefined && { session_token: AWS_SESSION_TOKEN }),
  }
}

function readDotEnv(working_dir: string): Environment {
  const path = join(working_dir, '.env')
  return existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {}
}

/** An empty variable is one that is not set: `OPENAI_API_KEY=` in a template must not count as a key. */
function withoutEmpty(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
}

const OWN_FILES = new Set([
  'ADMIN_KEY_FILE',
  'MONGODB_URI_FILE',
  'ENCRYPTION_KEYS_FILE',
  'AWS_ACCESS_KEY_ID_FILE',
  'AWS_SECRET_ACCESS_KEY_FILE',
  'AWS_SESSION_TOKEN_FILE',
])

function readFiles(environment: Environment): Environment {
  const all = withoutEmpty(environment)
  for (const [name, path] of Object.entries(all)) {
    if (!name.endsWith('_FILE') || !path || all[name.slice(0, -5)] !== undefined) continue
    // Other programs have variables of this kind too; only files that are there are read.
    if (existsSync(path)) all[name.slice(0, -5)] = readFileSync(path, 'utf8').trim()
    else if (OWN_FILES.has(name)) throw new ConfigError(`${name}: there is no file ${path}`)
  }
  return all
}
