/** A connection whose last request has ended. */
export interface Settling {
  settle(): void
}

// By how many turns of the event loop they have seen to their end.
let none: Settling[] = []
let one: Settling[] = []

/**
 * Calls `settle` when everything was read that has arrived by now: after a whole turn of the event loop. An application that closes
 * the connection with its answer, as PHP-FPM does after pm.max_requests, is known to have done so then: Node reads the end of a
 * connection in the turn after what came with it. What several connections send next also leaves together, and
 * wakes the application once.
 */
export function settleLater(connection: Settling): void {
  if (none.length === 0 && one.length === 0) setImmediate(onTurn)
  none.push(connection)
}

function onTurn(): void {
  const settled = one
  one = none
  none = []
  if (one.length > 0) setImmediate(onTurn)
  for (const connection of settled) connection.settle()
}
