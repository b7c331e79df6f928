// The coding agents: each gets one prompt, must make a file by a tool, look at it by another call, and say the last words
// of the model. Set up exactly as README.md says.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonObject } from '../../src/contract.ts'
import { type Bench, type Case, expectFile, expectText } from './case.ts'
import { environmentOf, setup } from './readme.ts'
import { runClient } from './run.ts'
import { DONE } from './stub/script.ts'

const order = (tool: string, given: JsonObject) => `[[tool:${tool} ${JSON.stringify(given)}]]`
const HELLO = 'hello from the yard'

const bashTwice = (tool: string) => [
  order(tool, { command: `echo ${HELLO} > hello.txt`, description: 'make it' }),
  order(tool, { command: 'cat hello.txt', description: 'look at it' }),
]

/** One prompt whose orders bear two turns with tools, and what must come of it. */
async function workThrough(bench: Bench, orders: string[], ask: (prompt: string) => Promise<string>): Promise<void> {
  const written = await ask(`Make the file and look at it. ${orders.join(' ')}`)
  expectFile(bench, 'hello.txt', HELLO)
  expectText(written, `${DONE}. ${orders.length} tools answered`)
}

function write(folder: string, name: string, content: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), content)
}

/* ---- Codex CLI --------------------------------------------------------------------------------------------------- */

function codex(bench: Bench, model: string, prompt: string): Promise<string> {
  const home = join(bench.home, '.codex')
  write(home, 'config.toml', setup('~/.codex/config.toml', bench.router.url, bench.key))
  return runClient(bench, {
    program: 'codex',
    arguments: ['exec', '--skip-git-repo-check', '-s', 'danger-full-access', '-m', model, prompt],
    environment: { SWITCHYARD_KEY: bench.key, CODEX_HOME: home },
  })
}

const codexShell = [
  order('exec_command', { cmd: `echo ${HELLO} > hello.txt` }),
  order('exec_command', { cmd: 'cat hello.txt' }),
]
const codexPatch = [
  order('apply_patch', { input: `*** Begin Patch\n*** Add File: hello.txt\n+${HELLO}\n*** End Patch` }),
  order('exec_command', { cmd: 'cat hello.txt' }),
]
/** Its newer models write code that calls the tools. */
const codexCode = [
  order('exec', { input: `text(await tools.exec_command({ cmd: 'echo ${HELLO} > hello.txt' }))` }),
  order('exec', { input: `text(await tools.exec_command({ cmd: 'cat hello.txt' }))` }),
]

const codexCase = (model: string, what: string, orders: string[]): Case => ({
  client: 'Codex CLI',
  package: '@openai/codex',
  format: 'responses',
  what: `${model}: ${what}`,
  jobs: orders.length + 1,
  run: (bench) => workThrough(bench, orders, (prompt) => codex(bench, model, prompt)),
})

/* ---- Claude Code ------------------------------------------------------------------------------------------------- */

function claude(bench: Bench, model: string, prompt: string): Promise<string> {
  return runClient(bench, {
    program: 'claude',
    arguments: ['-p', prompt, '--model', model, '--allowedTools', 'Write,Bash', '--permission-mode', 'acceptEdits'],
    environment: environmentOf(setup('Claude Code', bench.router.url, bench.key)),
  })
}

const claudeCase = (model: string): Case => ({
  client: 'Claude Code',
  package: '@anthropic-ai/claude-code',
  format: 'messages',
  what: `${model}: Write, then Bash`,
  jobs: 3,
  run: (bench) =>
    workThrough(
      bench,
      [
        order('Write', { file_path: join(bench.work, 'hello.txt'), content: HELLO }),
        order('Bash', { command: 'cat hello.txt', description: 'look at it' }),
      ],
      (prompt) => claude(bench, model, prompt),
    ),
})

/* ---- opencode ---------------------------------------------------------------------------------------------------- */

function opencode(bench: Bench, provider: string, model: string, prompt: string): Promise<string> {
  write(bench.work, 'opencode.json', setup('opencode.json', bench.router.url, bench.key))
  return runClient(bench, {
    program: 'opencode',
    arguments: ['run', '-m', `${provider}/${model}`, prompt],
    environment: {
      SWITCHYARD_KEY: bench.key,
      OPENCODE_DISABLE_AUTOUPDATE: '1',
      OPENCODE_DISABLE_MODELS_FETCH: '1',
      OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
    },
  })
}

const opencodeCase = (provider: string, format: string, model: string): Case => ({
  client: 'opencode',
  package: 'opencode-ai',
  format,
  what: `${model}: bash twice`,
  jobs: 3,
  run: (bench) => workThrough(bench, bashTwice('bash'), (prompt) => opencode(bench, provider, model, prompt)),
})

/* ---- gemini-cli -------------------------------------------------------------------------------------------------- */

function gemini(bench: Bench, model: string, prompt: string): Promise<string> {
  const settings = '~/.gemini/settings.json'
  write(join(bench.home, '.gemini'), 'settings.json', setup(settings, bench.router.url, bench.key))
  return runClient(bench, {
    program: 'gemini',
    arguments: ['-p', prompt, '-m', model, '--approval-mode', 'yolo', '--skip-trust'],
    environment: environmentOf(setup('gemini-cli', bench.router.url, bench.key)),
    // It takes a proxy for every address, loopback too (0.61.0).
    fenced: false,
  })
}

const geminiCase = (model: string): Case => ({
  client: 'gemini-cli',
  package: '@google/gemini-cli',
  format: 'gemini',
  what: `${model}: write_file, then run_shell_command`,
  jobs: 3,
  run: (bench) =>
    workThrough(
      bench,
      [
        order('write_file', { file_path: join(bench.work, 'hello.txt'), content: HELLO }),
        order('run_shell_command', { command: 'cat hello.txt', description: 'look at it' }),
      ],
      (prompt) => gemini(bench, model, prompt),
    ),
})

/* ---- GitHub Copilot CLI ------------------------------------------------------------------------------------------- */

/** README.md shows one way; the others differ from it in these two variables. */
const COPILOT: Record<string, Record<string, string>> = {
  responses: {},
  chat: { COPILOT_PROVIDER_WIRE_API: 'completions' },
  messages: { COPILOT_PROVIDER_TYPE: 'anthropic' },
}

const copilotCase = (format: string, model: string): Case => ({
  client: 'Copilot CLI',
  package: '@github/copilot',
  format,
  what: `${model}: bash twice`,
  jobs: 3,
  run: (bench) =>
    workThrough(bench, bashTwice('bash'), (prompt) => {
      const environment = environmentOf(setup('Copilot CLI', bench.router.url, bench.key))
      if (format === 'messages') environment.COPILOT_PROVIDER_BASE_URL = bench.router.url
      return runClient(bench, {
        program: 'copilot',
        arguments: ['-p', prompt, '--allow-all-tools'],
        environment: { ...environment, ...COPILOT[format], COPILOT_MODEL: model },
      })
    }),
})

/* ---- Continue ---------------------------------------------------------------------------------------------------- */

const continueCase = (model: string): Case => ({
  client: 'Continue',
  package: '@continuedev/cli',
  format: 'chat',
  what: `${model}: Bash twice`,
  jobs: 3,
  run: (bench) =>
    workThrough(bench, bashTwice('Bash'), (prompt) => {
      const shown = setup('~/.continue/config.yaml', bench.router.url, bench.key)
      const config = shown.replace(/model: .*/, `model: ${model}`)
      write(join(bench.home, '.continue'), 'config.yaml', config.replace(SECRET, bench.key))
      return runClient(bench, {
        program: 'cn',
        arguments: ['-p', '--auto', '--config', join(bench.home, '.continue', 'config.yaml'), prompt],
        environment: { CONTINUE_TELEMETRY_ENABLED: '0' },
      })
    }),
})
/** How the editor reads it from ~/.continue/.env; its command line asks Continue's own site for it. */
const SECRET = /\$\{\{ secrets\.SWITCHYARD_KEY \}\}/

export const AGENT_CASES: Case[] = [
  codexCase('openai/gpt-5.5', 'apply_patch, then a shell', codexPatch),
  codexCase('openai/gpt-6-sol', 'code that calls a shell, twice', codexCode),
  codexCase('anthropic/claude-sonnet-5', 'a shell twice', codexShell),
  codexCase('google/gemini-3.6-flash', 'a shell twice', codexShell),
  claudeCase('anthropic/claude-sonnet-4-5'),
  claudeCase('anthropic/claude-sonnet-5'),
  claudeCase('google/gemini-3.6-flash'),
  claudeCase('openai/gpt-5.5'),
  opencodeCase('switchyard', 'chat', 'openai/gpt-5.5'),
  opencodeCase('switchyard', 'chat', 'anthropic/claude-sonnet-5'),
  opencodeCase('switchyard-responses', 'responses', 'openai/gpt-5.5'),
  opencodeCase('switchyard-messages', 'messages', 'anthropic/claude-sonnet-5'),
  geminiCase('google/gemini-3.6-flash'),
  geminiCase('google/gemini-2.5-flash'),
  geminiCase('openai/gpt-5.5'),
  geminiCase('anthropic/claude-sonnet-5'),
  copilotCase('responses', 'openai/gpt-5.5'),
  copilotCase('messages', 'claude-sonnet-5'),
  copilotCase('chat', 'google/gemini-3.6-flash'),
  continueCase('openai/gpt-5.5'),
  continueCase('anthropic/claude-sonnet-5'),
]
