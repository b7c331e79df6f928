// Installs the clients at their pinned versions in a folder of their own: never part of the project's packages, and only
// when package.json says something else than what is there.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const here = import.meta.dirname
export const CLIENTS_DIR = join(here, '..', '..', 'node_modules', '.clients')
/** What npm must not run of itself: only these two put a program in its place; the others compile what is not needed. */
const SETUPS = ['@anthropic-ai/claude-code/install.cjs', 'opencode-ai/postinstall.mjs']

/** Throws what npm said when it cannot install. */
export function installClients(say: (line: string) => void): void {
  const wanted = readFileSync(join(here, 'package.json'), 'utf8')
  const stamp = join(CLIENTS_DIR, '.installed.json')
  mkdirSync(CLIENTS_DIR, { recursive: true })
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    say(`Installing the clients in ${CLIENTS_DIR} (about 1.3 GB, once) …`)
    writeFileSync(join(CLIENTS_DIR, 'package.json'), wanted)
    run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'])
    for (const script of SETUPS) run(process.execPath, [join('node_modules', script)])
    writeFileSync(stamp, wanted)
  }
  // Programs find their packages from where they lie.
  cpSync(join(here, 'programs'), join(CLIENTS_DIR, 'programs'), { recursive: true })
}

export function versionOf(name: string): string {
  const { dependencies } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'))
  return dependencies[name]
}

function run(program: string, programArguments: string[]): void {
  const { status, error } = spawnSync(program, programArguments, { cwd: CLIENTS_DIR, stdio: 'inherit' })
  if (error !== undefined || status !== 0)
    throw new Error(`${program} ${programArguments.join(' ')}: ${error?.message ?? `exit code ${status}`}`)
}
