// Runs one child process to its end, passes signals on to it, and does not let it outlive npm. It never reads or writes
// the child's streams.
import { spawn } from 'node:child_process'

const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Ctrl-C reaches the whole process group and npm sends it once more; so one signal is passed on once in this time. The
 * child may still see it twice (the terminal's and ours), which our programs take as one.
 */
const SAME_SIGNAL_MS = 1000

const PARENT_POLL_MS = 250

/**
 * Calls `onOrphaned` once if the npm that started us is gone. npm passes SIGTERM on, but one that is killed outright, or
 * whose terminal is closed, would leave a router behind that holds its port and its data. Returns a function that stops it.
 */
function watchForNpm(onOrphaned) {
  if (process.env.npm_lifecycle_event === undefined) return () => {}
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    onOrphaned()
  }, PARENT_POLL_MS)
  return () => clearInterval(timer)
}

/** Resolves to how the child ended: `code` or `signal`, and `received`, the last signal sent to us meanwhile. */
export function runChild(command, commandArguments, options) {
  return new Promise((resolve, reject) => {
    const passedOnAt = new Map()
    let received
    const child = spawn(command, commandArguments, options)
    const passOn = (signal) => {
      received = signal
      const now = performance.now()
      if (now - (passedOnAt.get(signal) ?? Number.NEGATIVE_INFINITY) < SAME_SIGNAL_MS) return
      passedOnAt.set(signal, now)
      child.kill(signal)
    }
    const stopWatching = watchForNpm(() => passOn('SIGTERM'))
    const stopPassingOn = () => {
      stopWatching()
      for (const signal of PASSED_ON) process.off(signal, passOn)
    }
    for (const signal of PASSED_ON) process.on(signal, passOn)
    child.once('error', (error) => {
      stopPassingOn()
      reject(error)
    })
    child.once('exit', (code, signal) => {
      stopPassingOn()
      resolve({ code, signal, received })
    })
  })
}
