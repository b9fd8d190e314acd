// The command line of the framework, which runs TypeScript.
import '@poppinss/ts-exec'

await import('./bin/console.js')
