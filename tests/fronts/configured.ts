// The servers that `fcgi-bridge config` writes configs for, each set up as its package sets it up, with such a config in it.
import { execFileSync } from 'node:child_process'
import { startNginx } from './nginx.ts'
import { required } from './programs.ts'
import type { Site } from './site.ts'

/** What `fcgi-bridge config --json` prints. */
export interface PrintedConfig {
  files: { path: string; text: string }[]
  check: string
  reload: string
  app?: string[]
}

/** Has a server check a config, and starts it; `print` makes the config for `count` ports. Gives the ports. */
type Start = (site: Site, count: number, print: (ports: number[]) => PrintedConfig) => Promise<number[]>

export const CONFIGURED: Readonly<Record<string, Start>> = {
  async nginx(site, count, print) {
    const ports = await startNginx(site, count, (ports) => {
      return `include /etc/nginx/mime.types;\n${print(ports).files[0]!.text}`
    })
    execFileSync(required('nginx'), ['-t', '-q', '-c', site.path('nginx.conf'), '-e', site.path('error.log')])
    return ports
  },
}
