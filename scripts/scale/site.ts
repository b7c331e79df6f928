// What the scale run is played on: vendors, one store alone, and routers, each a process of its own in a temp folder.
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Victim } from '../torture/victim.ts'
import { writeVendor } from './files.ts'
import { VENDORS, type VendorReport } from './vendors.ts'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const QUIET = '--disable-warning=ExperimentalWarning'

export class ScaleSite {
  readonly folder = mkdtempSync(join(tmpdir(), 'sw-scale-'))
  readonly routers: Victim[] = []
  #vendors: ChildProcess | undefined
  #store: ChildProcess | undefined
  uri = ''

  /** Vendors take a `divisor`th of their times. */
  async start(routers: number, divisor: number): Promise<void> {
    const vendors = fork(here('./server.ts'), [String(divisor)], { execArgv: [QUIET] })
    this.#vendors = vendors
    const [{ ports }] = (await once(vendors, 'message')) as [{ ports: Record<string, number> }]
    const [providers, pricing] = [join(this.folder, 'providers'), join(this.folder, 'pricing')]
    for (const folder of [providers, pricing]) mkdirSync(folder)
    for (const vendor of VENDORS) writeVendor(vendor, providers, pricing)
    this.uri = await this.#startStore()
    const addresses = Object.entries(ports).map(([id, port]) => [
      `${id.toUpperCase()}_BASE_URL`,
      `http://127.0.0.1:${port}`,
    ])
    const environment = {
      MONGODB_URI: this.uri,
      PROVIDERS_DIR: providers,
      PRICING_DIR: pricing,
      STORAGE_URL: join(this.folder, 'files'),
      ...Object.fromEntries(addresses),
    }
    for (let index = 0; index < routers; index++) {
      const data_dir = join(this.folder, `router-${index}`)
      mkdirSync(data_dir)
      const router = new Victim(data_dir, environment)
      this.routers.push(router)
      await router.start()
    }
  }

  async #startStore(): Promise<string> {
    const store = spawn(process.execPath, [QUIET, here('../store.ts')], {
      env: { PATH: process.env.PATH, DATA_DIR: join(this.folder, 'store') },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#store = store
    const [said] = (await once(store.stdout, 'data')) as [Buffer]
    return /^MONGODB_URI=(.*)$/m.exec(said.toString())?.[1] ?? ''
  }

  async report(): Promise<VendorReport[]> {
    const answer = once(this.#vendors as ChildProcess, 'message')
    this.#vendors?.send('report')
    const [report] = (await answer) as [VendorReport[]]
    return report
  }

  async close(): Promise<void> {
    for (const router of this.routers) await router.kill('SIGTERM')
    this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** At once, so that nothing is left running whatever went wrong. */
  kill(): void {
    for (const router of this.routers) void router.kill()
    for (const child of [this.#store, this.#vendors]) child?.kill('SIGKILL')
  }
}
