import { parseArgs } from 'node:util'
import { UserError } from '../../scripts/lib/run.js'

/** The output of `npm run bench -- --help`. */
export const HELP = `npm run bench                 measure everything and write bench/RESULTS.md (about 20 minutes)
npm run bench -- --quick      measure the main rows in a few minutes, and only print them

With any of these options the results are only printed:
  --only PATTERN    measure the cases whose names match this regular expression. With --quick, in short rounds
  --node BINARY     run the servers with this Node; can be repeated
  --tcp             use TCP on the loopback instead of Unix sockets
  --connections N   use N connections instead of 32, in cases without a number of their own
  --against FOLDER  compare our servers with those of another checkout of this repository, in which \`npm run setup\` has run
  --profile FOLDER  write a CPU profile of each server to this folder, for the viewer of Chrome or VS Code

Others:
  --list            list the names of the cases
  --save            save results that would only be printed: measured rows replace those in bench/results.json, and
                    bench/RESULTS.md is written from all rows`

/**
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {RegExp | undefined} only
 * @property {boolean} list
 * @property {string[]} nodes Paths of executables; empty for the default.
 * @property {import('./server.js').Transport} transport
 * @property {number | undefined} connections
 * @property {string | undefined} profiles
 * @property {string | undefined} against The folder of another checkout.
 * @property {boolean} save
 * @property {boolean} help
 */

/**
 * Parses the command line. Throws a UserError for invalid options.
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
        against: { type: 'string' },
        save: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const { against, connections, help, list, node, only, profile, quick, save, tcp } = values
    if (against !== undefined && (save || quick))
      throw new Error('--against cannot be combined with --quick or --save.')
    const isWhole = ![quick, only, node[0], tcp, profile, connections, against].some(Boolean)
    return {
      quick,
      only: only === undefined ? undefined : new RegExp(only),
      list,
      nodes: node,
      transport: tcp ? 'tcp' : 'unix',
      connections: connections === undefined ? undefined : toCount(connections),
      profiles: profile,
      against,
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
