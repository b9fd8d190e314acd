type Write = (chunk: Uint8Array | string, callback?: (error?: Error | null) => void) => boolean

let writeResponse: Write | undefined

/**
 * Reserves the standard output of a CGI program for its response (RFC 3875 section 6), and returns the function that writes it. From
 * then on, output of the app to `process.stdout`, also with `console.log`, goes to standard error, which is the web server's error log.
 * Later calls return the same function.
 */
export function reserveStandardOutput(): Write {
  if (writeResponse === undefined) {
    const { stdout, stderr } = process
    writeResponse = stdout.write.bind(stdout) as Write
    stdout.write = stderr.write.bind(stderr)
  }
  return writeResponse
}
