/** Responds with every FastCGI param of the request, sorted, one per line: exactly what the front server sends. */
export default {
  /**
   * @param {Request} _request
   * @param {{ params: Readonly<Record<string, string | undefined>> }} context
   */
  fetch(_request, { params }) {
    const lines = Object.entries(params).map(([name, value]) => `${printable(name)}=${printable(value)}\n`)
    const text = `Flup works!\n\n${lines.sort().join('')}`
    // Params are bytes decoded as latin1. Encoding them as latin1 again restores UTF-8 text.
    return new Response(Buffer.from(text, 'latin1'), {
      headers: {
        'Content-Type': 'text/plain; charset=utf-8',
        'Cache-Control': 'no-store',
        'X-Content-Type-Options': 'nosniff',
      },
    })
  },
}

/** Escapes control characters. A decoded path can contain a line feed (%0A), which would start a false line. */
function printable(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression matches control characters on purpose
  return text.replace(/[\x00-\x1f\x7f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
