// Finds where a text stops being JSON, for the message: JSON.parse often does not say. Only for texts that are not.

/** A mark, the quote that opens a string, or a word that is a value. */
const TOKEN =
  /[ \t\n\r]*(?:([[\]{},:])|(")|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w))/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const BLANK = /[ \t\n\r]*/y

type Expected = 'value' | 'value or ]' | 'name or }' | 'name' | ':' | ', or }' | ', or ]' | 'the end'

/** 'expected a value at line 3, column 7, but found "x"' */
export function jsonFault(text: string): string {
  const closers: string[] = []
  let expected: Expected = 'value'
  let at = 0
  for (;;) {
    TOKEN.lastIndex = at
    const match = TOKEN.exec(text)
    const next: Expected | undefined | null = match && step(expected, match, closers)
    if (!match || !next) break
    const end = match[2] === undefined ? TOKEN.lastIndex : stringEnd(text, TOKEN.lastIndex)
    if (typeof end === 'object') return describe(text, end.fault, 'a valid character of a string')
    expected = next
    at = end
  }
  BLANK.lastIndex = at
  BLANK.test(text)
  return describe(text, BLANK.lastIndex, WORDS[expected] ?? expected)
}

/** Behind the closing quote, or where a string may not go on. Not by one expression: long strings exhaust its stack. */
function stringEnd(text: string, start: number): number | { fault: number } {
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) return at + 1
    if (code < 0x20) return { fault: at }
    if (code !== 0x5c) continue
    ESCAPE.lastIndex = at
    if (!ESCAPE.test(text)) return { fault: at }
    at = ESCAPE.lastIndex - 1
  }
  return { fault: text.length }
}

/** What may follow this token, or undefined if the token itself may not stand here. */
function step(expected: Expected, [, mark, string]: RegExpExecArray, closers: string[]): Expected | undefined {
  const isValue = expected === 'value' || expected === 'value or ]'
  if (string !== undefined && expected.startsWith('name')) return ':'
  if (mark === undefined) return isValue ? after(closers) : undefined
  if (mark === '{' && isValue) {
    closers.push('}')
    return 'name or }'
  }
  if (mark === '[' && isValue) {
    closers.push(']')
    return 'value or ]'
  }
  if (mark === ':' && expected === ':') return 'value'
  if (mark === ',' && expected.startsWith(', or')) return closers.at(-1) === '}' ? 'name' : 'value'
  if (expected.endsWith(` or ${mark}`)) {
    closers.pop()
    return after(closers)
  }
  return undefined
}

function after(closers: string[]): Expected {
  const closer = closers.at(-1)
  if (closer === undefined) return 'the end'
  return closer === '}' ? ', or }' : ', or ]'
}

const WORDS: Partial<Record<Expected, string>> = {
  value: 'a value',
  'value or ]': 'a value or ]',
  name: 'a name in double quotes',
  'name or }': 'a name in double quotes or }',
}

function describe(text: string, at: number, expected: string): string {
  const before = text.slice(0, at)
  const line = before.split('\n').length
  const column = at - before.lastIndexOf('\n')
  const found =
    at < text.length ? JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0)) : 'the end of the body'
  return `expected ${expected} at line ${line}, column ${column}, but found ${found}`
}
