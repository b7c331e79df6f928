// What a provider needs back with a thought so that it knows the thought for its own. This format has one field for it,
// `encrypted_content`: OpenAI's ciphertext as it is, another vendor's signature under a prefix of ours.

const SIGNATURE = 'signature:'

/** OpenAI's own ciphertexts are Fernet tokens, which all begin so. */
export const OPENAI_SEAL = /^gAAA/

export function readSealed(content: string | null | undefined): { encrypted?: string; signature?: string } {
  if (!content) return {}
  return content.startsWith(SIGNATURE) ? { signature: content.slice(SIGNATURE.length) } : { encrypted: content }
}

/** Undefined where there is nothing to give back. */
export function writeSealed({ encrypted, signature }: { encrypted?: string; signature?: string }): string | undefined {
  return encrypted ?? (signature === undefined ? undefined : SIGNATURE + signature)
}
