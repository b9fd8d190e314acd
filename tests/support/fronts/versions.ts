import { spawnSync } from 'node:child_process'
import { required } from './programs.ts'

/** The front servers, and the argument that makes each print its version. */
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

/** The installed version of a front server, such as `1.26.3`. */
export function versionOf(server: Server): string {
  const { stdout, stderr } = spawnSync(required(server), [ARGUMENTS[server]], { encoding: 'utf8' })
  const [version] = /\d+(?:\.\d+)+/.exec(stdout + stderr) ?? []
  if (version === undefined) throw new Error(`${server} does not print its version: ${stdout}${stderr}`)
  return version
}

/** True if the installed version is `version` or later. For traits that depend on it. */
export function isAtLeast(server: Server, version: string): boolean {
  return versionOf(server).localeCompare(version, 'en', { numeric: true }) >= 0
}
