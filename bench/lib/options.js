import { parseArgs } from 'node:util'
import { UserError } from '../../scripts/lib/run.js'

/** What `npm run bench -- --help` prints. */
export const HELP = `npm run bench                 everything, and bench/RESULTS.md anew (about 20 minutes)
npm run bench -- --quick      the main rows in a few minutes; only printed

  --only PATTERN    the cases whose names match this regular expression; only printed. With --quick in its short rounds
  --list            the names of the cases
  --node BINARY     run the servers under this Node; may be given more than once; only printed
  --tcp             over TCP on the loopback instead of Unix sockets; only printed
  --connections N   instead of 32, in the cases that say no number of their own; only printed
  --profile FOLDER  write a CPU profile of each server there, for Chrome's or VS Code's viewer; only printed
  --save            keep the results although they are only printed otherwise: rows that were measured take the place of
                    the same rows in bench/results.json, and bench/RESULTS.md is written of all`

/**
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {RegExp | undefined} only
 * @property {boolean} list
 * @property {string[]} nodes Paths of executables; empty for the default.
 * @property {import('./server.js').Transport} transport
 * @property {number | undefined} connections
 * @property {string | undefined} profiles
 * @property {boolean} save
 * @property {boolean} help
 */

/**
 * Reads the command line; a UserError for what is not understood.
 * @param {string[]} args
 * @returns {Options}
 */
export function readOptions(args) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        list: { type: 'boolean', default: false },
        node: { type: 'string', multiple: true, default: [] },
        tcp: { type: 'boolean', default: false },
        connections: { type: 'string' },
        profile: { type: 'string' },
        save: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const { connections, help, list, node, only, profile, quick, save, tcp } = values
    const isWhole = ![quick, only, node[0], tcp, profile, connections].some(Boolean)
    return {
      quick,
      only: only === undefined ? undefined : new RegExp(only),
      list,
      nodes: node,
      transport: tcp ? 'tcp' : 'unix',
      connections: connections === undefined ? undefined : toCount(connections),
      profiles: profile,
      save: save || isWhole,
      help,
    }
  } catch (error) {
    throw new UserError(`${error.message}\n\n${HELP}`)
  }
}

function toCount(text) {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--connections takes a number from 1 up, not ${text}.`)
  return Number(text)
}
