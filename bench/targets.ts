// What is measured: the stand-in itself, our router, and (out of ../shared/bench, if it is there) the gateways it is compared
// with. It only starts them; the peers' own code and settings are theirs.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { endProcess, GATEWAY_CORE, hasCommand, spawnOn } from './machine.ts'
import { type Running, startRouter } from './router.ts'

export interface Target {
  name: string
  start: (upstreamPort: number) => Promise<Running>
}

/** The peers' settings name this port. */
export const PEERS_UPSTREAM_PORT = 9001
const PEERS = ['nginx', 'bare', 'koa', 'portkey']

const root = join(import.meta.dirname, '..')
const sharedBench = join(root, '../shared/bench')
const peersFolder = join(import.meta.dirname, 'results/peers')

const PeerTable = z.record(
  z.string(),
  z.object({
    cmd: z.array(z.string()).nullable(),
    port: z.number(),
    env: z.record(z.string(), z.string()).optional(),
    hdrs: z.string().optional(),
  }),
)

const direct: Target = {
  name: 'direct',
  start: async (port) => ({ port, headers: {}, stop: async () => {} }),
}

const switchyard: Target = { name: 'switchyard', start: startRouter }

/** `a: b|c: d` as the peers' table writes headers. */
function parseHeaders(written = ''): Record<string, string> {
  return Object.fromEntries(
    written
      .split('|')
      .filter(Boolean)
      .map((header) => header.split(/:\s*(.*)/s, 2)),
  )
}

async function waitForAnswer(port: number) {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    if (answer) return
    await sleep(50)
  }
  throw new Error(`nothing answers on port ${port}`)
}

function peer(name: string, { cmd, port, env, hdrs }: z.infer<typeof PeerTable>[string]): Target {
  const start = async () => {
    // All of them on the Node that we run on; the peers' table means whichever is first on the PATH.
    const command = (cmd ?? []).map((word, index) => (index === 0 && word === 'node' ? process.execPath : word))
    const log = openSync(join(peersFolder, 'results', `${name}.log`), 'w')
    const child = spawnOn(GATEWAY_CORE, command, {
      cwd: peersFolder,
      stdio: ['ignore', log, log],
      env: { ...process.env, UPSTREAM: `http://127.0.0.1:${PEERS_UPSTREAM_PORT}`, ...env },
    })
    await waitForAnswer(port)
    return { port, pid: child.pid, headers: parseHeaders(hdrs), stop: () => endProcess(child) }
  }
  return { name, start }
}

/** Puts the peers into a folder of ours with their packages; installs nginx where we may. */
function installPeers() {
  mkdirSync(join(peersFolder, 'results'), { recursive: true })
  cpSync(sharedBench, peersFolder, { recursive: true, mode: 0, filter: (path) => !path.includes('node_modules') })
  spawnSync('chmod', ['-R', 'u+w', peersFolder])
  if (!existsSync(join(peersFolder, 'node_modules/@portkey-ai'))) {
    console.error('installing the peers ...')
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: peersFolder,
      stdio: ['ignore', 2, 2],
    })
  }
  if (!hasCommand('/usr/sbin/nginx') && hasCommand('apt-get')) {
    console.error('installing nginx ...')
    spawnSync('apt-get', ['install', '-y', '-q', 'nginx-light'], { stdio: ['ignore', 2, 2] })
  }
}

/** The targets of a sitting, ours last. Says on stderr what it has to leave out. */
export function chooseTargets(names: string[] | undefined, quick: boolean): Target[] {
  const wanted = (name: string) => names === undefined || names.includes(name)
  const peers: Target[] = []
  if (!existsSync(sharedBench)) console.error('no ../shared/bench here: measuring our router without its peers')
  else if (!quick && PEERS.some(wanted)) {
    installPeers()
    const table = PeerTable.parse(JSON.parse(readFileSync(join(peersFolder, 'targets.json'), 'utf8')))
    for (const name of PEERS.filter(wanted)) {
      const entry = table[name]
      if (entry) peers.push(peer(name, entry))
    }
  }
  // Everything is compared with the stand-in itself, so it is always measured.
  return [direct, ...peers, ...(wanted('switchyard') ? [switchyard] : [])]
}
