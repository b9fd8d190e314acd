/**
 * Ends the program with a status, also where the app's module has left a server or a timer open. What was printed before
 * goes out first: writes to a pipe are asynchronous.
 */
export async function endProgram(status: number): Promise<never> {
  process.exitCode = status
  // An error that was thrown for Node to print (setImmediate) ends the program before this does.
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
