// A film by its first box, and otherwise nothing: where it matters what becomes of files and not what is in them.

const BYTES = 16_384
const HEAD = 24

export const FILM = Buffer.alloc(BYTES)
FILM.writeUInt32BE(HEAD, 0)
FILM.write('ftypisom', 4, 'latin1')
FILM.write('isomiso2', 16, 'latin1')
FILM.writeUInt32BE(BYTES - HEAD, HEAD)
FILM.write('free', HEAD + 4, 'latin1')
