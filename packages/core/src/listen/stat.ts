import { fstatSync, lstatSync, type Stats } from 'node:fs'

// On Node 20 and 22 realpathSync, and with it every later import() through a link (pnpm's layout is made of them), resolves no
// more links once the last file that was looked at is a socket (nodejs/node#51142). So a folder is looked at last.

/** `lstatSync` of what may be a socket. */
export function lstatSocket(path: string): Stats {
  try {
    return lstatSync(path)
  } finally {
    lstatSync('/')
  }
}

/** `fstatSync` of what may be a socket. */
export function fstatSocket(fd: number): Stats {
  try {
    return fstatSync(fd)
  } finally {
    lstatSync('/')
  }
}
