// What the readers of both protocols have in common. They do as little as finds out whether each answer is the right one.

/**
 * @typedef {object} Reader
 * @property {(chunk: Buffer) => void} push Takes bytes; the chunk is not kept.
 *
 * @callback OnAnswer Called at the end of each answer.
 * @param {number} requestId 1 over HTTP.
 *
 * @typedef {object} Expected
 * @property {string} [body] The whole body.
 * @property {number} [length] Or how many bytes it has.
 */

/**
 * Throws where a body is not the expected one.
 * @param {Expected} expected
 * @param {number} length Bytes that it had.
 * @param {string} [body] As latin1, where it was kept.
 */
export function checkBody(expected, length, body) {
  if (body !== undefined && Buffer.from(body, 'latin1').toString() !== expected.body) {
    throw new Error(`An answer has the body ${JSON.stringify(body.slice(0, 200))}.`)
  }
  const wanted = expected.length ?? Buffer.byteLength(expected.body ?? '')
  if (length !== wanted) throw new Error(`An answer has ${length} bytes, not ${wanted}.`)
}
