/** A connection whose last request has ended. */
interface DeferredConnection {
  /** The connection can send its next request. */
  onReusable(): void
}

// Connections by how many turns of the event loop have passed since they were added.
let added: DeferredConnection[] = []
let addedOneTurnAgo: DeferredConnection[] = []

/**
 * Calls `onReusable` after a whole turn of the event loop, when everything that has arrived by now was read. An application may
 * close the connection together with its response, as PHP-FPM does after pm.max_requests. Node reads the end of a connection in the
 * turn after the last data, so the close is known by then. The next requests of several connections are also sent together, and
 * wake the application once.
 */
export function deferReuse(connection: DeferredConnection): void {
  if (added.length === 0 && addedOneTurnAgo.length === 0) setImmediate(onTurn)
  added.push(connection)
}

function onTurn(): void {
  const reusable = addedOneTurnAgo
  addedOneTurnAgo = added
  added = []
  if (addedOneTurnAgo.length > 0) setImmediate(onTurn)
  for (const connection of reusable) connection.onReusable()
}
