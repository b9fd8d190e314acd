import { spawnSync } from 'node:child_process'
import { required } from './programs.ts'

/** The front servers, and what makes each of them print its version. */
const ARGUMENTS = {
  apache2: '-v',
  caddy: 'version',
  h2o: '--version',
  haproxy: '-v',
  lighttpd: '-v',
  nginx: '-v',
} as const

export type Server = keyof typeof ARGUMENTS

export const SERVERS = Object.keys(ARGUMENTS) as Server[]

/** The version of a front server that is installed here: `1.26.3`. */
export function versionOf(server: Server): string {
  const { stdout, stderr } = spawnSync(required(server), [ARGUMENTS[server]], { encoding: 'utf8' })
  const [version] = /\d+(?:\.\d+)+/.exec(stdout + stderr) ?? []
  if (version === undefined) throw new Error(`${server} does not print its version: ${stdout}${stderr}`)
  return version
}

/** Whether it is that version or a later one, such as 1.23: for traits that came with it. */
export function isAtLeast(server: Server, version: string): boolean {
  return versionOf(server).localeCompare(version, 'en', { numeric: true }) >= 0
}
