// Group commit: what goes to the same account at the same moment is one statement, because a busy account's document is
// rewritten once a statement, whatever changes in it. It never mixes accounts.

/** A statement's size stays far below what a command may have, and one refusal sends no more than this many alone. */
const GROUP_MAX = 100

/** The first of each job: within one statement nothing keeps a job from counting twice. */
export function oncePerJob<Item extends { job_id: string }>(items: Item[]): Item[] {
  return [...new Map(items.toReversed().map((item) => [item.job_id, item])).values()].reverse()
}

export function byAccount<Item extends { account_id: string }>(items: Item[]): Item[][] {
  return [...Map.groupBy(items, ({ account_id }) => account_id).values()].flatMap((own) => chunks(own))
}

function chunks<Item>(items: Item[]): Item[][] {
  const count = Math.ceil(items.length / GROUP_MAX)
  return Array.from({ length: count }, (_, index) => items.slice(index * GROUP_MAX, (index + 1) * GROUP_MAX))
}
