// JSON numbers that must keep their exact digits, which JavaScript's own numbers do not promise.

interface RawJson {
  rawJSON(text: string): unknown
}

/** A value that JSON.stringify prints as exactly this number: '0.000000001' and not 1e-9. (TypeScript 7.0 lacks the type.) */
export const exactNumber = (text: string): unknown => (JSON as unknown as RawJson).rawJSON(text)
