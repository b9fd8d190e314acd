const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

/** Whether `text` is a token, as methods and the names of headers are (RFC 9110 section 5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}
