/** A piece of a config; what is not there is left out, with its line. */
export type Piece = string | false | undefined

/** The pieces, each beginning a line of its own. */
export function lines(...pieces: readonly Piece[]): string {
  return pieces.filter((piece) => typeof piece === 'string').join('\n')
}

/** The text with each line that is not empty moved to the right. */
export function indent(text: string, by = 4): string {
  return text.replace(/^(?=.)/gm, ' '.repeat(by))
}

/** The text as comment lines, for the servers whose comments begin with `#`: all of them. */
export function comment(text: string): string {
  return text.replace(/^/gm, '# ').replace(/ +$/gm, '')
}

/** `head { body }`, the form of nginx, lighttpd and Caddy. */
export function block(head: string, body: string): string {
  return `${head} {\n${body === '' ? '' : `${indent(body)}\n`}}`
}

/** A mount or another URL path as a regular expression that matches it alone. */
export function pattern(path: string): string {
  return path.replaceAll('.', '\\.')
}
