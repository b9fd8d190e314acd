/**
 * The life of a connection:
 *
 * - `connecting`: the connection takes requests, and sends them when it is open.
 * - `open`: the connection takes and sends requests.
 * - `retired`: the connection takes no more requests, and closes after its running requests have ended.
 * - `closing`: this side has closed the connection.
 */
export type ConnectionState = 'connecting' | 'open' | 'retired' | 'closing'
