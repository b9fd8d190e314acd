// What a process manager and its command line need from this package. It does not load the server or node:http, which take 20 MiB on
// Node 26, because a master process never serves a request.

export { checkOptions, LISTEN_OPTION_NAMES } from './listen/check-options.ts'
export { checkPlace } from './listen/check-place.ts'
export { findInherited, type Inherited } from './listen/inherited.ts'
export { listenError, withListenAdvice } from './listen/listen-error.ts'
export { bindAtPath, isSameFile } from './listen/socket-path.ts'
export { isHealthPath } from './server/health.ts'
export { rememberRestartFiles, restartFilesIn, watchRestartFiles } from './server/restart-file.ts'
