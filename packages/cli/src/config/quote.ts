import { wrong } from './site.ts'

/** Writes a path, or another text without control characters, as one word of a config. Throws where the syntax can not say it. */
export type Quote = (text: string) => string

/** The error for a text that a server's syntax has no way to write. */
export function unsayable(server: string, text: string, what: string): Error {
  return wrong(
    `${JSON.stringify(text)}: ${server}'s config has no way to write ${what} in this place. Rename it, or give a link to it a plain name.`,
  )
}

/** nginx knows no escape for `$`; inside quotes, a backslash escapes the quote and itself. */
export const nginxWord: Quote = (text) => {
  if (text.includes('$')) throw unsayable('nginx', text, '$')
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
