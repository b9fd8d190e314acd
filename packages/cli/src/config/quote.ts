import { wrong } from './site.ts'

/** Writes a path, or another text without control characters, as one word of a config. Throws where the syntax can not say it. */
export type Quote = (text: string) => string

// The error for a text that a server's syntax has no way to write.
function unsayable(server: string, text: string, what: string): Error {
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

/** lighttpd knows one escape, of the quote: a backslash is itself, and can not be the last. */
export const lighttpdWord: Quote = (text) => {
  if (text.endsWith('\\')) throw unsayable('lighttpd', text, '\\ at the end')
  return `"${text.replaceAll('"', '\\"')}"`
}

/** A command as lighttpd splits it: at every blank, whatever is around it. */
export function lighttpdCommand(words: readonly string[]): string {
  const split = words.find((word) => word.includes(' '))
  if (split !== undefined) throw unsayable('lighttpd', split, 'a blank')
  return words.join(' ')
}

/** Caddy replaces what is in braces; quotes know one escape, and backquotes none. */
export const caddyWord: Quote = (text) => {
  const brace = /[{}]/.exec(text)
  if (brace) throw unsayable('Caddy', text, brace[0])
  if (!/["\\]/.test(text)) return `"${text}"`
  if (text.includes('`')) throw unsayable('Caddy', text, '` beside " or \\')
  return `\`${text}\``
}

/** The same for a folder of files, which Caddy takes for a pattern. */
export const caddyFolder: Quote = (text) => {
  const pattern = /[*?[\\]/.exec(text)
  if (pattern) throw unsayable('Caddy', text, pattern[0])
  return caddyWord(text)
}

/** A double-quoted scalar of YAML is what JSON makes of a text. */
export const yamlWord: Quote = (text) => JSON.stringify(text)

/** HAProxy's quotes are a shell's. */
export const haproxyWord: Quote = (text) => `'${text.replaceAll("'", "'\\''")}'`

/** A word of ExecStart=: escaped as in C, and with % and $ doubled, which begin specifiers and variables. */
export const systemdWord: Quote = (text) => {
  const plain = text.replace(/[%$]/g, '$&$&')
  return /^[\w./:@%+=,$-]+$/.test(plain) ? plain : `"${plain.replace(/["\\]/g, '\\$&')}"`
}
