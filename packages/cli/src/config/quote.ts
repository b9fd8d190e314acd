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

/** Apache replaces `${NAME}` wherever it stands; inside quotes, a backslash escapes the quote and itself. */
export const apacheWord: Quote = (text) => {
  if (text.includes('${')) throw unsayable('Apache', text, '${')
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** The same for the path of a `<Directory>` section, which may be a pattern. */
export const apacheFolder: Quote = (text) => {
  const pattern = /[*?[]/.exec(text)
  if (pattern) throw unsayable('Apache', text, pattern[0])
  return apacheWord(text)
}

/** A command as mod_fcgid splits it into words. */
export function fcgidCommand(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replace(/['\\]/g, '\\$&')}'`))
    .join(' ')
}
