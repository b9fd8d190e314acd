import { fstatSync, lstatSync, type Stats } from 'node:fs'

// On Node 20 and 22, if the last stat call was for a socket, realpathSync resolves no more links, nor does import() (nodejs/node#51142).
// pnpm's layout consists of links. So these functions end with a stat call for a folder.

/** `lstatSync` for a file that may be a socket. */
export function lstatSocket(path: string): Stats {
  try {
    return lstatSync(path)
  } finally {
    lstatSync('/')
  }
}

/** `fstatSync` for a descriptor that may be a socket. */
export function fstatSocket(fd: number): Stats {
  try {
    return fstatSync(fd)
  } finally {
    lstatSync('/')
  }
}
