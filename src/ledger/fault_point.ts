// Named points at which a router of a test site kills itself (FAULT=K7, or FAULT=K7:3 for the third time that it comes
// by): what a crash at exactly that moment leaves behind can then be looked at. Unset, a point is one comparison.

/**
 * K1 checked, before the intent; K2 the intent is written; K3 the hold is carried out, and nobody has read its answer; K4 the
 * hold is known; K5 before the provider is asked; K6 it was asked; K7 part of the answer has gone out; K8 the answer is whole,
 * before the decision; K9 decided; K10 applied to the account; K11 journaled; K12 closed.
 */
export type FaultPoint = 'K1' | 'K2' | 'K3' | 'K4' | 'K5' | 'K6' | 'K7' | 'K8' | 'K9' | 'K10' | 'K11' | 'K12'

export interface Fault {
  point: string
  /** How often the point is passed before. */
  spared: number
}

let armed: Fault | undefined

/** Once, before anything runs; the configuration refuses it in production. */
export function armFault(fault: Fault): void {
  armed = { ...fault }
}

/** The process ends here, without a word, if this is where it must. */
export function faultPoint(point: FaultPoint): void {
  if (armed === undefined || armed.point !== point) return
  if (armed.spared-- > 0) return
  process.kill(process.pid, 'SIGKILL')
}
