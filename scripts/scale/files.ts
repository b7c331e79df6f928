// A vendor's adapter and price file, as an operator would drop them into PROVIDERS_DIR and PRICING_DIR.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type FilmVendor, SECONDS } from './adapter.ts'

const ADAPTER = fileURLToPath(new URL('./adapter.ts', import.meta.url))

export function writeVendor(
  { id, polls_per_second, lost_answer, usd_per_second }: FilmVendor & { usd_per_second: string },
  providers: string,
  pricing: string,
): void {
  const vendor = { id, polls_per_second, lost_answer }
  const lines = [
    `import { vendorProvider } from ${JSON.stringify(ADAPTER)}`,
    `export default vendorProvider(${JSON.stringify(vendor)})`,
    '',
  ]
  writeFileSync(join(providers, `${id}.ts`), lines.join('\n'))
  writeFileSync(join(pricing, `${id}.toml`), prices(id, usd_per_second))
}

const prices = (id: string, usd: string): string => `
source = "https://example.com"
checked = ${new Date().toISOString().slice(0, 10)}
[models."${id}/film"]
upstream = "film"
operation = "video"
limits = { seconds = [${SECONDS}] }
[[models."${id}/film".prices]]
from = 2026-01-01
rates = [{ meter = "video_seconds", usd = "${usd}", per = 1 }]
`
