/** A piece of a config. `false` and `undefined` are left out. */
export type Piece = string | false | undefined

/** Joins the pieces with line breaks. */
export function lines(...pieces: readonly Piece[]): string {
  return pieces.filter((piece) => typeof piece === 'string').join('\n')
}

/** Indents each line that is not empty. */
export function indent(text: string, by = 4): string {
  return text.replace(/^(?=.)/gm, ' '.repeat(by))
}

/** Makes each line a comment. In the configs of all servers a comment begins with `#`. */
export function comment(text: string): string {
  return text.replace(/^/gm, '# ').replace(/ +$/gm, '')
}

/** Writes `head { body }`, the syntax of nginx, lighttpd and Caddy. */
export function block(head: string, body: string): string {
  return `${head} {\n${body === '' ? '' : `${indent(body)}\n`}}`
}

/** Escapes a mount or another URL path for a regular expression. The path has passed `parseUrlPath`. */
export function pattern(path: string): string {
  return path.replaceAll('.', '\\.')
}
