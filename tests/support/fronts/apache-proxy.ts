import { apacheFront, apacheTraits } from './apache.ts'
import type { Front, Mode } from './front.ts'
import { startApps } from './served.ts'

interface ProxyMode extends Mode {
  socket: 'tcp' | 'unix'
  options: string
}

const modes: readonly ProxyMode[] = [
  { name: 'ProxyPass over TCP', prefix: '', traits: apacheTraits, socket: 'tcp', options: '' },
  { name: 'ProxyPass over a Unix socket', prefix: '', traits: apacheTraits, socket: 'unix', options: '' },
  {
    name: 'ProxyPass over TCP with enablereuse',
    prefix: '',
    traits: apacheTraits,
    socket: 'tcp',
    options: 'enablereuse=on',
  },
]

/** mod_proxy_fcgi: the app listens, Apache connects. */
export const apacheProxy: Front = apacheFront('Apache mod_proxy_fcgi', modes, async (site, all) => {
  const listening = await startApps(site)
  return {
    modules: ['proxy', 'proxy_fcgi'],
    hosts: all.map(({ mode, app }) => {
      const at = listening[app][mode.socket]
      const url = 'path' in at ? `unix:${at.path}|fcgi://${app}/` : `fcgi://${at.host}:${at.port}/`
      return `
        ProxyPass "/" "${url}" flushpackets=on ${mode.options}
        <Location "/">
          CGIPassAuth On
        </Location>`
    }),
  }
})
