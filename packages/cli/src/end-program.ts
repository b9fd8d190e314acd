/**
 * Exits with a status, even if the app's module has left a server or a timer open. Flushes standard output and standard error
 * first, because writes to a pipe are asynchronous.
 */
export async function endProgram(status: number): Promise<never> {
  process.exitCode = status
  // If an error was thrown in setImmediate for Node to print, Node exits here.
  await new Promise((resolve) => setImmediate(resolve))
  await Promise.all([process.stdout, process.stderr].map(flushed))
  process.exit()
}

function flushed(output: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (!output.writable) resolve()
    else output.once('close', resolve).write('', () => resolve())
  })
}
