/** Answers with every FastCGI param of the request, a line each and sorted: what the front server really sends. */
export default {
  /**
   * @param {Request} _request
   * @param {{ params: Readonly<Record<string, string | undefined>> }} context
   */
  fetch(_request, { params }) {
    const lines = Object.entries(params).map(([name, value]) => `${printable(name)}=${printable(value)}\n`)
    const text = `Flup works!\n\n${lines.sort().join('')}`
    // A param is bytes read as latin1: written the same way, UTF-8 comes out as it went in.
    return new Response(Buffer.from(text, 'latin1'), {
      headers: {
        'Content-Type': 'text/plain; charset=utf-8',
        'Cache-Control': 'no-store',
        'X-Content-Type-Options': 'nosniff',
      },
    })
  },
}

/** A decoded path can hold a line feed (%0A), which must not pass for a line of its own. */
function printable(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x1f\x7f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
