const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

/** Whether `text` is a token (RFC 9110 section 5.6.2), which a method and the name of a header must be. */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}
