/** Quotes a word for a POSIX shell, if it needs quotes, for commands that are shown to the user. */
export function shellWord(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
