// A budget of thought, which Anthropic's and Google's formats count in tokens, as a level, which all others name. Pure.

/** The level for so many tokens, of those that every vendor with levels knows. */
export function effortFor(budget_tokens: number): 'low' | 'medium' | 'high' {
  if (budget_tokens <= 2_048) return 'low'
  return budget_tokens <= 8_192 ? 'medium' : 'high'
}
