// Every route in one table, in words: what /docs shows and /openapi.json is made of. A test holds it against the routes
// that there are.
export interface RouteEntry {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** As the router knows it: `/v1/jobs/:id`. */
  path: string
  summary: string
  /** Whose key it asks for. */
  key: 'none' | 'caller' | 'admin' | 'signature'
  group: string
  /** Content types of the request body; absent: none. */
  body?: readonly string[]
  /** Content types of a success, JSON if absent. */
  answers?: readonly string[]
}

const JSON_BODY = ['application/json']
const FORM_BODY = ['multipart/form-data']
const EITHER_BODY = ['application/json', 'multipart/form-data']
const STREAMED = ['application/json', 'text/event-stream']
const FILE = ['application/octet-stream']
const SOUND = [...FILE, 'text/event-stream']
const TRANSCRIPT = ['application/json', 'text/plain', 'text/event-stream']

type Row = [method: RouteEntry['method'], path: string, summary: string, more?: Pick<RouteEntry, 'body' | 'answers'>]

const table = (group: string, key: RouteEntry['key'], rows: Row[]): RouteEntry[] =>
  rows.map(([method, path, summary, more]) => ({ method, path, summary, key, group, ...more }))

export const CATALOG: readonly RouteEntry[] = [
  ...table('Models in OpenAI’s format', 'caller', [
    ['POST', '/v1/chat/completions', 'Text: one answer, or a stream of events', { body: JSON_BODY, answers: STREAMED }],
    ['POST', '/v1/completions', 'Text after a prompt, as it was before chat', { body: JSON_BODY, answers: STREAMED }],
    ['POST', '/v1/responses', 'The same in the format of the Responses API', { body: JSON_BODY, answers: STREAMED }],
    ['GET', '/v1/responses/:id', 'A stored response, or its events', { answers: STREAMED }],
    ['DELETE', '/v1/responses/:id', 'Removes a stored response'],
    ['POST', '/v1/responses/:id/cancel', 'Ends a response that is worked on in the background'],
    ['GET', '/v1/responses/:id/input_items', 'What a stored response answered'],
    [
      'POST',
      '/v1/responses/input_tokens',
      'How many tokens a response’s input would be, for nothing',
      { body: JSON_BODY },
    ],
    ['POST', '/v1/responses/compact', 'A conversation made short: its users’ words and a summary', { body: JSON_BODY }],
    ['POST', '/v1/embeddings', 'Vectors of texts', { body: JSON_BODY }],
    ['POST', '/v1/moderations', 'Whether a text is acceptable', { body: JSON_BODY }],
    ['POST', '/v1/images/generations', 'Pictures from words', { body: JSON_BODY, answers: STREAMED }],
    ['POST', '/v1/images/edits', 'Pictures from pictures and words', { body: EITHER_BODY, answers: STREAMED }],
    [
      'POST',
      '/v1/images/threads',
      'A picture to be changed in words, turn by turn',
      { body: EITHER_BODY, answers: STREAMED },
    ],
    ['GET', '/v1/images/threads', 'The account’s threads of pictures'],
    [
      'POST',
      '/v1/images/threads/:id',
      'The next turn: changes the last picture',
      { body: EITHER_BODY, answers: STREAMED },
    ],
    ['GET', '/v1/images/threads/:id', 'One thread: its turns, their pictures and cost'],
    ['DELETE', '/v1/images/threads/:id', 'Removes a thread with its pictures'],
    ['POST', '/v1/videos', 'A film: queued at once, polled until it is done', { body: EITHER_BODY }],
    ['GET', '/v1/videos', 'The account’s films'],
    ['GET', '/v1/videos/:id', 'One film: its status and progress'],
    ['DELETE', '/v1/videos/:id', 'Removes a finished film'],
    [
      'GET',
      '/v1/videos/:id/content',
      'The film, its thumbnail or its sprite sheet; ranges are served',
      { answers: FILE },
    ],
    ['POST', '/v1/videos/:id/remix', 'A film changed into another', { body: EITHER_BODY }],
    ['POST', '/v1/videos/:id/extend', 'A film that goes on', { body: EITHER_BODY }],
    ['POST', '/v1/videos/edits', 'The same as remix, the film named in the body', { body: EITHER_BODY }],
    ['POST', '/v1/videos/extensions', 'The same as extend, the film named in the body', { body: EITHER_BODY }],
    ['POST', '/v1/videos/characters', 'Not here: send pictures as references of a film', { body: FORM_BODY }],
    ['GET', '/v1/videos/characters/:id', 'Not here'],
    ['POST', '/v1/audio/speech', 'Speech from text: a file, or a stream of it', { body: JSON_BODY, answers: SOUND }],
    ['POST', '/v1/audio/transcriptions', 'Text from speech', { body: FORM_BODY, answers: TRANSCRIPT }],
    ['POST', '/v1/audio/translations', 'English text from speech', { body: FORM_BODY, answers: TRANSCRIPT }],
    ['GET', '/v1/models', 'The models that the key may call, with limits and prices'],
    ['GET', '/v1/models/*id', 'One model'],
  ]),
  ...table('Models in Anthropic’s format', 'caller', [
    ['POST', '/v1/messages', 'Text: one answer, or a stream of events', { body: JSON_BODY, answers: STREAMED }],
    ['POST', '/v1/messages/count_tokens', 'How many tokens a request would be', { body: JSON_BODY }],
  ]),
  ...table('Models in Google’s format', 'caller', [
    [
      'POST',
      '/v1beta/models/*call',
      'Text: the model’s name, then :generateContent, :streamGenerateContent or :countTokens',
      { body: JSON_BODY, answers: STREAMED },
    ],
    ['GET', '/v1beta/models', 'The models that the key may call'],
    ['GET', '/v1beta/models/*model', 'One model'],
  ]),
  ...table('Jobs and credit', 'caller', [
    ['GET', '/v1/jobs', 'The account’s jobs, newest first'],
    ['GET', '/v1/jobs/:id', 'One job: status, usage, attempts, outputs, receipt'],
    ['GET', '/v1/jobs/:id/events', 'Each change of a job until its end', { answers: ['text/event-stream'] }],
    ['GET', '/v1/jobs/:id/outputs/:n', 'A file that a job made; ranges are served', { answers: FILE }],
    ['POST', '/v1/jobs/:id/cancel', 'Ends a job; what was delivered is charged'],
    ['DELETE', '/v1/jobs/:id', 'Removes what a finished job made; its money stays'],
    ['GET', '/v1/webhooks', 'Where the account wants to be told that jobs have ended'],
    ['POST', '/v1/webhooks', 'A new webhook; its secret is shown this once', { body: JSON_BODY }],
    ['GET', '/v1/webhooks/:id', 'One webhook'],
    ['PATCH', '/v1/webhooks/:id', 'Changes a webhook: address, events, description, disabled', { body: JSON_BODY }],
    ['DELETE', '/v1/webhooks/:id', 'Removes a webhook'],
    ['POST', '/v1/webhooks/:id/rotate', 'A new secret; the old one signs too for a day', { body: JSON_BODY }],
    ['GET', '/v1/webhooks/secret', 'The secret that signs what goes to a request’s own webhook_url'],
    ['POST', '/v1/webhooks/secret/rotate', 'A new one; the old one signs too for a day', { body: JSON_BODY }],
    ['GET', '/v1/webhooks/deliveries', 'What was sent, by status, event, webhook or job'],
    ['GET', '/v1/webhooks/deliveries/:id', 'One delivery with its attempts'],
    ['POST', '/v1/webhooks/deliveries/:id/redeliver', 'Sends a delivery again'],
    ['POST', '/v1/estimate', 'What a call would hold, without making it', { body: EITHER_BODY }],
    ['GET', '/v1/credits', 'The account’s credit: available, held, settled, and its lots'],
    ['POST', '/v1/credits/redeem', 'Credit for a code', { body: JSON_BODY }],
    ['GET', '/v1/usage', 'What was spent, by any of model, day, operation and key; as JSON or CSV'],
    ['GET', '/v1/statements', 'A month of the account: opening, every entry, closing; as JSON or CSV'],
    ['GET', '/v1/key', 'The key that asks, and what it may spend'],
  ]),
  ...table('Administration', 'admin', [
    ['GET', '/api/v1/users', 'Users'],
    ['POST', '/api/v1/users', 'A new user with an account', { body: JSON_BODY }],
    ['GET', '/api/v1/users/:id', 'One user and the account’s credit'],
    ['PATCH', '/api/v1/users/:id', 'Changes a user', { body: JSON_BODY }],
    ['POST', '/api/v1/users/:id/credits', 'Grants credit, or a pack of it', { body: JSON_BODY }],
    ['GET', '/api/v1/users/:id/prices', 'The discounts and margins of a user’s account'],
    ['POST', '/api/v1/users/:id/prices', 'A discount or margin of its own', { body: JSON_BODY }],
    ['DELETE', '/api/v1/users/:id/prices/:price_id', 'Takes one away: the site’s stands again'],
    ['GET', '/api/v1/margin', 'What was charged against what providers charge, by day, provider and model'],
    ['GET', '/api/v1/margin/losses', 'Jobs that were sold below cost'],
    ['POST', '/api/v1/margin/invoice', 'A provider’s invoice against our own sums', { body: JSON_BODY }],
    ['POST', '/api/v1/prices/dry-run', 'A new price table tried on past jobs', { body: JSON_BODY }],
    ['GET', '/api/v1/packs', 'What the site sells credit in'],
    ['GET', '/api/v1/lots', 'A user’s lots: what was given, spent, expired, taken back'],
    ['POST', '/api/v1/lots/:id/reclaim', 'Takes back what is unspent of a lot', { body: JSON_BODY }],
    ['GET', '/api/v1/codes', 'Codes for credit, and who redeemed them'],
    ['POST', '/api/v1/codes', 'New codes, shown this once', { body: JSON_BODY }],
    ['PATCH', '/api/v1/codes/:id', 'Turns a code off, or on again', { body: JSON_BODY }],
    ['GET', '/api/v1/keys', 'Keys'],
    ['POST', '/api/v1/keys', 'A new key, shown this once', { body: JSON_BODY }],
    ['GET', '/api/v1/keys/:id', 'One key'],
    ['PATCH', '/api/v1/keys/:id', 'Disables, limits or renames a key', { body: JSON_BODY }],
    ['POST', '/api/v1/keys/:id/rotate', 'A fresh secret; the old one works a while longer', { body: JSON_BODY }],
    ['DELETE', '/api/v1/keys/:id', 'Removes a key'],
    ['GET', '/api/v1/ledger', 'Ledger entries'],
    ['GET', '/api/v1/usage', 'What all users spent, or one of them, by user too'],
    ['GET', '/api/v1/statements', 'A month of a user’s account'],
    ['GET', '/api/v1/jobs', 'Jobs of every account'],
    ['GET', '/api/v1/jobs/:id', 'One job of any account'],
    ['POST', '/api/v1/jobs/:id/refund', 'Gives a charge back, in whole or in part', { body: JSON_BODY }],
    ['GET', '/api/v1/providers', 'Providers: on, or off and why'],
    ['GET', '/api/v1/models', 'Every model'],
    ['GET', '/api/v1/prices', 'Offers with their rates'],
    ['POST', '/api/v1/verify', 'Adds every account up again from its entries'],
    ['POST', '/api/v1/reload', 'Loads providers and prices again'],
    ['GET', '/api/v1/audit', 'What admins changed'],
    ['GET', '/metrics', 'Counters in the text format of Prometheus', { answers: ['text/plain'] }],
  ]),
  ...table('The router', 'none', [
    ['GET', '/healthz', 'Whether the process lives'],
    ['GET', '/readyz', 'Whether it takes requests'],
    ['GET', '/docs', 'This table', { answers: ['text/html'] }],
    ['GET', '/openapi.json', 'The same for machines'],
  ]),
  ...table('Providers', 'signature', [
    ['POST', '/hooks/:provider/:job/:mac', 'A provider tells that work has moved on', { body: JSON_BODY }],
  ]),
]
