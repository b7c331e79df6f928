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
  RETENTION_DAYS: whole(1, 3650).default(7),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  TRUST_PROXY: onOff.default(false),
  BODY_BYTES_MAX: whole(1024, 2 ** 30).default(64 * 2 ** 20),
  NODE_ENV: z.string().optional(),
})

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
  retention_days: number
  log_level: string
  trust_proxy: boolean
  /** The largest request body, uploads included. */
  body_bytes_max: number
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
    retention_days: settings.RETENTION_DAYS,
    log_level: settings.LOG_LEVEL,
    trust_proxy: settings.TRUST_PROXY,
    body_bytes_max: settings.BODY_BYTES_MAX,
    production,
    environment: all,
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

function readFiles(environment: Environment): Environment {
  const all = withoutEmpty(environment)
  for (const [name, path] of Object.entries(all)) {
    if (!name.endsWith('_FILE') || !path || all[name.slice(0, -5)] !== undefined) continue
    // Other programs have variables of this kind too; only files that are there are read.
    if (existsSync(path)) all[name.slice(0, -5)] = readFileSync(path, 'utf8').trim()
    else if (name === 'ADMIN_KEY_FILE' || name === 'MONGODB_URI_FILE')
      throw new ConfigError(`${name}: there is no file ${path}`)
  }
  return all
}
