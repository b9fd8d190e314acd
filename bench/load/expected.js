// Code shared by the readers of both protocols. They do only what is needed to check each response.

/**
 * @typedef {object} Reader
 * @property {(chunk: Buffer) => void} push Reads bytes. The chunk is not kept.
 *
 * @callback OnResponse Called at the end of each response.
 * @param {number} requestId 1 over HTTP.
 *
 * @typedef {object} Expected
 * @property {string} [body] The whole body.
 * @property {number} [length] Or its length in bytes.
 */

/**
 * Throws if a body is not the expected one.
 * @param {Expected} expected
 * @param {number} length Its length in bytes.
 * @param {string} [body] The body as latin1, if it was kept.
 */
export function checkBody(expected, length, body) {
  if (body !== undefined && Buffer.from(body, 'latin1').toString() !== expected.body) {
    throw new Error(`A response has the body ${JSON.stringify(body.slice(0, 200))}.`)
  }
  const wanted = expected.length ?? Buffer.byteLength(expected.body ?? '')
  if (length !== wanted) throw new Error(`A response has ${length} bytes instead of ${wanted}.`)
}
