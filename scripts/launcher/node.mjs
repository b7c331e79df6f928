// Which Node runs our programs, and in which environment: the one we are on if it is new enough, else the one that the
// `node` package pins. It never runs anything.
import { readFileSync } from 'node:fs'
import { join, sep } from 'node:path'

/** The first major version that strips types without a flag and has the node:sqlite we use. */
const OLDEST_MAJOR = 24

/** The path of the pinned Node, whether or not it is there yet. */
export function pinnedNode(root) {
  return join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
}

/**
 * Whether the Node at `path`, of `version`, can be relied on to run our code. A Node inside node_modules cannot, however
 * new: npm puts the pinned one first on PATH, and an install takes it away under our feet.
 */
export function runsOurCode({ version, path, root }) {
  return Number.parseInt(version, 10) >= OLDEST_MAJOR && !path.startsWith(join(root, 'node_modules') + sep)
}

/** The flags for Node that `npm start` gives, for whoever starts a router as a user would. */
export function startFlags(root) {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return ['--disable-warning=ExperimentalWarning', ...scripts.start.split(' ').filter((word) => word.startsWith('--'))]
}

/**
 * What a program of ours finds in its environment beside `given`, which wins. Compiled code is kept between starts: the
 * second one is ready in two thirds of the time and 40 MB smaller. The MALLOC_ variables (glibc reads them, others do not)
 * make it give memory back: one arena, and large blocks always mapped one by one.
 */
export function programEnvironment(root, given) {
  return {
    NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled'),
    MALLOC_ARENA_MAX: '1',
    MALLOC_MMAP_THRESHOLD_: '131072',
    MALLOC_TRIM_THRESHOLD_: '131072',
    ...given,
  }
}
