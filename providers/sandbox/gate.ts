// Lets a few through at a time and makes the rest wait in line, to bound memory and CPU.

export type Gate = <Result>(work: () => Promise<Result>) => Promise<Result>

export function createGate(places: number): Gate {
  let free = places
  const line: (() => void)[] = []
  return async (work) => {
    if (free > 0) free--
    else await new Promise<void>((enter) => line.push(enter))
    try {
      return await work()
    } finally {
      const enter = line.shift()
      if (enter === undefined) free++
      else enter()
    }
  }
}
