// The launcher of every npm script: brings node_modules in step with the lockfile, chooses a Node of at least 24, and runs
// one program of ours on it as if it were that program. Plain JavaScript that Node 20 understands; it never writes to stdout.
//
//   node scripts/launch.mjs [--dev] [flags for Node] <program> [arguments]
//
// `--dev` says that the program needs the development packages, whatever NODE_ENV is.
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runChild } from './launcher/child.mjs'
import { ensureInstalled, InstallError } from './launcher/install.mjs'
import { pinnedNode, programEnvironment, runsOurCode } from './launcher/node.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Splits our own arguments: Node's flags stand before the program, the program's own after it. */
function parseArguments(given) {
  const dev = given[0] === '--dev'
  const rest = dev ? given.slice(1) : given
  const at = rest.findIndex((argument) => !argument.startsWith('-'))
  if (at === -1) return undefined
  return { dev, nodeFlags: rest.slice(0, at), program: resolve(root, rest[at]), programArguments: rest.slice(at + 1) }
}

function fail(message) {
  process.stderr.write(`switchyard: ${message}\n`)
  process.exit(1)
}

/** Ends this process the way its child ended, so that a shell, npm or a supervisor sees no difference. */
function endAs({ code, signal }) {
  if (!signal) process.exit(code)
  process.kill(process.pid, signal)
  // A signal that does not end us (SIGHUP under nohup, say) must not leave us running without a child.
  setTimeout(() => process.exit(128 + constants.signals[signal]), 500)
}

async function launch() {
  const wanted = parseArguments(process.argv.slice(2))
  if (!wanted) return fail('usage: node scripts/launch.mjs [--dev] [flags for Node] <program> [arguments]')

  const ownNodeWillDo = runsOurCode({ version: process.versions.node, path: process.execPath, root })
  const interrupted = await ensureInstalled({
    root,
    dev: wanted.dev || process.env.NODE_ENV !== 'production',
    needsPinnedNode: !ownNodeWillDo,
    say: (line) => process.stderr.write(`switchyard: ${line}\n`),
  })
  if (interrupted) return endAs({ signal: interrupted })

  if (!existsSync(wanted.program)) return fail(`there is no ${wanted.program}`)
  const node = ownNodeWillDo ? process.execPath : pinnedNode(root)
  const ended = await runChild(
    node,
    // node:sqlite is still marked experimental; any other warning is worth reading.
    ['--disable-warning=ExperimentalWarning', ...wanted.nodeFlags, wanted.program, ...wanted.programArguments],
    { stdio: 'inherit', env: programEnvironment(root, process.env) },
  )
  endAs(ended)
}

launch().catch((error) => {
  if (error instanceof InstallError) fail(error.message)
  fail(`cannot start: ${error.message}`)
})
