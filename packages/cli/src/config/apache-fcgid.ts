import { virtualHosts } from './apache.ts'
import { apacheWord, fcgidCommand } from './quote.ts'
import { inheritWords, programWords, type Site } from './site.ts'
import { APP_SILENCE, type Config } from './target.ts'
import { lines } from './text.ts'

/** A virtual host for Apache with mod_fcgid, which starts the app itself. */
export function apacheFcgid(site: Site): Config {
  const { maxBody, buffer } = site
  const command = fcgidCommand([...programWords(), ...inheritWords(site).slice(1)])
  return virtualHosts(site, {
    modules: ['fcgid'],
    app: 'Apache starts the app, as many processes as it needs, and stops those that are idle.',
    host: lines(
      '',
      '# In bytes; mod_fcgid’s own limit is 128 KiB.',
      `FcgidMaxRequestLen ${maxBody}`,
      !buffer && '# Hand on what the app sends at once: server-sent events need it.',
      !buffer && 'FcgidOutputBufferSize 0',
      '# A process gets one request at a time: this many run at once, event streams included.',
      'FcgidMaxProcessesPerClass 20',
      '# Seconds: how long a request may take in all, and how long the app may stay silent in it.',
      'FcgidBusyTimeout 3600',
      `FcgidIOTimeout ${APP_SILENCE}`,
    ),
    location: lines('Require all granted', 'Options +ExecCGI', `FcgidWrapper ${apacheWord(command)} virtual`),
    handler: 'SetHandler fcgid-script',
    measured: 'FcgidMaxRequestLen’s, which makes it a 500',
  })
}
