// The types of node.mjs for those who are not plain JavaScript.
export function pinnedNode(root: string): string
export function programEnvironment(root: string, given: NodeJS.ProcessEnv): NodeJS.ProcessEnv
export function startFlags(root: string): string[]
export function runsOurCode(node: { version: string; path: string; root: string }): boolean
