import { usageError } from './site.ts'

/** Writes a path, or other text without control characters, as one word of a config. Throws a Failure if the syntax cannot express it. */
type Quote = (text: string) => string

function cannotQuote(server: string, text: string, what: string): Error {
  return usageError(
    `${JSON.stringify(text)}: ${server}'s config syntax cannot express ${what} here. Rename the file or folder, or use a symbolic link with a plain name.`,
  )
}

/** nginx has no escape for `$`. Inside quotes, a backslash escapes a quote and a backslash. */
export const nginxWord: Quote = (text) => {
  if (text.includes('$')) throw cannotQuote('nginx', text, '$')
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** Apache replaces `${NAME}` everywhere, even in quotes. Inside quotes, a backslash escapes a quote and a backslash. */
export const apacheWord: Quote = (text) => {
  if (text.includes('${')) throw cannotQuote('Apache', text, '${')
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** Like {@link apacheWord}, for the path of a `<Directory>` section, in which Apache expands wildcards. */
export const apacheFolder: Quote = (text) => {
  const pattern = /[*?[]/.exec(text)
  if (pattern) throw cannotQuote('Apache', text, pattern[0])
  return apacheWord(text)
}

/** Joins the words of a command in the way in which mod_fcgid splits it. */
export function fcgidCommand(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replace(/['\\]/g, '\\$&')}'`))
    .join(' ')
}

/** lighttpd has one escape: `\"`. Any other backslash is literal, so text cannot end with one. */
export const lighttpdWord: Quote = (text) => {
  if (text.endsWith('\\')) throw cannotQuote('lighttpd', text, '\\ at the end')
  return `"${text.replaceAll('"', '\\"')}"`
}

/** Joins the words of a command. lighttpd splits it at every space, even in quotes. */
export function lighttpdCommand(words: readonly string[]): string {
  const split = words.find((word) => word.includes(' '))
  if (split !== undefined) throw cannotQuote('lighttpd', split, 'a space')
  return words.join(' ')
}

/** Caddy replaces placeholders in braces. Its double quotes have one escape, `\"`, and its backquotes have none. */
export const caddyWord: Quote = (text) => {
  const brace = /[{}]/.exec(text)
  if (brace) throw cannotQuote('Caddy', text, brace[0])
  if (!/["\\]/.test(text)) return `"${text}"`
  if (text.includes('`')) throw cannotQuote('Caddy', text, '` together with " or \\')
  return `\`${text}\``
}

/** Like {@link caddyWord}, for a folder of files, in which Caddy expands wildcards. */
export const caddyFolder: Quote = (text) => {
  const pattern = /[*?[\\]/.exec(text)
  if (pattern) throw cannotQuote('Caddy', text, pattern[0])
  return caddyWord(text)
}

/** A JSON string is a valid double-quoted scalar of YAML. */
export const yamlWord: Quote = (text) => JSON.stringify(text)

/** HAProxy quotes like a POSIX shell. */
export const haproxyWord: Quote = (text) => `'${text.replaceAll("'", "'\\''")}'`

/** A word of `ExecStart=`. Its escapes are those of C. `%` and `$` are doubled because they begin specifiers and variables. */
export const systemdWord: Quote = (text) => {
  const plain = text.replace(/[%$]/g, '$&$&')
  return /^[\w./:@%+=,$-]+$/.test(plain) ? plain : `"${plain.replace(/["\\]/g, '\\$&')}"`
}
