// `npm test`: types, lint and every test, one after the other whatever the one before found. Arguments go to vitest alone.
// Its last line is the tests' count, for people and machines; it never passes when a step failed.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Step {
  name: string
  program: string
  programArguments: string[]
}

/** The part of vitest's JSON report that we count. */
interface Report {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: { status: string; assertionResults: unknown[] }[]
}

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'switchyard-test-'))
const reportFile = join(folder, 'report.json')
let running: ChildProcess | undefined

const steps: Step[] = [
  { name: 'types', program: 'typescript/bin/tsc', programArguments: ['-p', '.'] },
  { name: 'lint', program: '@biomejs/biome/bin/biome', programArguments: ['check'] },
  {
    name: 'tests',
    program: 'vitest/vitest.mjs',
    programArguments: [
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportFile}`,
      ...process.argv.slice(2),
    ],
  },
]

/** Runs one tool from node_modules with its output on ours; resolves to whether it was content. */
function runStep({ name, program, programArguments }: Step): Promise<boolean> {
  console.log(`\n== ${name} ==`)
  const started = performance.now()
  return new Promise((resolve, reject) => {
    running = spawn(process.execPath, [join(root, 'node_modules', program), ...programArguments], {
      cwd: root,
      stdio: 'inherit',
    })
    running.once('error', reject)
    running.once('exit', (code, signal) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      console.log(`== ${name}: ${code === 0 ? 'ok' : `FAILED (${signal ?? `exit code ${code}`})`} in ${seconds} s ==`)
      resolve(code === 0)
    })
  })
}

/** Counts tests; a test file that could not even be loaded has none, and counts as one that failed. */
function countTests(report: Report): { passed: number; failed: number; skipped: number } {
  const unloadable = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloadable.length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

function readCounts(): ReturnType<typeof countTests> {
  try {
    return countTests(JSON.parse(readFileSync(reportFile, 'utf8')) as Report)
  } catch (error) {
    console.error(`vitest left no report to count: ${error instanceof Error ? error.message : error}`)
    return { passed: 0, failed: 1, skipped: 0 }
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    running?.kill(signal)
    rmSync(folder, { recursive: true, force: true })
    process.exit(1)
  })
}

const failedSteps: string[] = []
for (const step of steps) {
  if (!(await runStep(step))) failedSteps.push(step.name)
}
const { passed, failed, skipped } = readCounts()
rmSync(folder, { recursive: true, force: true })

if (failedSteps.length > 0) console.log(`\nFAILED: ${failedSteps.join(', ')}`)
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failedSteps.length > 0 || failed > 0 ? 1 : 0
