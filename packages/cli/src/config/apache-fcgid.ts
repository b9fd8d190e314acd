import { virtualHosts } from './apache.ts'
import { apacheWord, fcgidCommand } from './quote.ts'
import { inheritWords, programWords, type Site } from './site.ts'
import { APP_READ_TIMEOUT, type Config } from './target.ts'
import { lines } from './text.ts'

/** Builds a virtual host for Apache with mod_fcgid. Apache starts the app. */
export function apacheFcgid(site: Site): Config {
  const { maxBody, buffer } = site
  const command = fcgidCommand([...programWords(), ...inheritWords(site).slice(1)])
  return virtualHosts(site, {
    modules: ['fcgid'],
    app: 'Apache starts as many processes of the app as it needs, and stops idle ones.',
    host: lines(
      '',
      '# The largest request body, in bytes. mod_fcgid’s default is 128 KiB.',
      `FcgidMaxRequestLen ${maxBody}`,
      !buffer && '# Do not buffer the response. Server-sent events need this.',
      !buffer && 'FcgidOutputBufferSize 0',
      '# A process handles one request at a time, so this is also the number of concurrent requests, including',
      '# event streams.',
      'FcgidMaxProcessesPerClass 20',
      '# In seconds: the longest time for a whole request, and the longest time that the app may send nothing.',
      'FcgidBusyTimeout 3600',
      `FcgidIOTimeout ${APP_READ_TIMEOUT}`,
    ),
    location: lines('Require all granted', 'Options +ExecCGI', `FcgidWrapper ${apacheWord(command)} virtual`),
    handler: 'SetHandler fcgid-script',
    chunkedLimit: 'FcgidMaxRequestLen limits a body without a Content-Length, with a 500.',
  })
}
