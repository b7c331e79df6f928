// The first words to whoever starts the router: where it is, the first keys once, and a curl line that works.
import type { Config } from './config.ts'
import type { Router } from './start.ts'

export function greeting({ url, first_run, services }: Router, config: Config): string {
  const on = services.registry().providers.filter(({ status }) => status === 'on')
  const lines = [
    `Switchyard listens on ${url}/v1`,
    `  providers: ${on.map(({ id }) => id).join(', ') || 'none'} (npm run doctor tells the rest)`,
  ]
  if (first_run.note) lines.push('', `  ${first_run.note}`)
  if (first_run.admin_key) lines.push('', `  admin key  ${first_run.admin_key}`)
  if (first_run.api_key) lines.push(`  API key    ${first_run.api_key}   (a demo user with $10 of credit)`)
  if (first_run.admin_key || first_run.api_key)
    lines.push(`  In ${config.data_dir}/first-run.json, and shown only this once.`)
  if (first_run.api_key) lines.push('', 'Try it:', '', curl(url, first_run.api_key))
  return `${lines.join('\n')}\n\n`
}

const curl = (url: string, key: string) => `curl ${url}/v1/chat/completions \\
  -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" \\
  -d '{"model": "sandbox/chat", "messages": [{"role": "user", "content": "Hello!"}]}'`
