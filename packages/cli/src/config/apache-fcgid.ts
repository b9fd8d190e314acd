import { virtualHosts } from './apache.ts'
import { apacheWord, fcgidCommand } from './quote.ts'
import { inheritWords, programWords } from './serve-words.ts'
import type { Site } from './site.ts'
import { APP_READ_TIMEOUT, type Config, header } from './target.ts'
import { lines } from './text.ts'

/** The file of the directives that mod_fcgid accepts only outside of virtual hosts. */
const SERVER_FILE = '/etc/apache2/conf-available/fcgi-bridge-fcgid.conf'

/** Builds a virtual host for Apache with mod_fcgid, and a file with settings for the whole server. Apache starts the app. */
export function apacheFcgid(site: Site): Config {
  const { maxBody, buffer } = site
  const command = fcgidCommand([...programWords(), ...inheritWords(site).slice(1)])
  const config = virtualHosts(site, {
    modules: ['fcgid'],
    app: 'Apache starts as many processes of the app as it needs, and stops idle ones.',
    host: lines(
      '',
      '# The largest request body, in bytes. mod_fcgid’s default is 128 KiB.',
      `FcgidMaxRequestLen ${maxBody}`,
      !buffer && '# Do not buffer the response. Server-sent events need this.',
      !buffer && 'FcgidOutputBufferSize 0',
      '# A process handles one request at a time, so this is also the number of concurrent requests, including event',
      '# streams. One request more waits for a second. A Node process needs 20 to 90 MB.',
      'FcgidMaxProcessesPerClass 20',
      '# Old processes end after a deploy. With the default, 3 of them keep running.',
      'FcgidMinProcessesPerClass 0',
      '# Keep idle processes for 15 minutes: a start takes 0.2 s of CPU time, and the first requests are slow.',
      'FcgidIdleTimeout 900',
      '# Do not recycle processes. If the app leaks memory: FcgidMaxRequestsPerProcess 5000, and never 50.',
      'FcgidProcessLifeTime 0',
      'FcgidMaxRequestsPerProcess 0',
      '# In seconds: the longest time for a whole request, and the longest time without output of the app.',
      'FcgidBusyTimeout 3600',
      `FcgidIOTimeout ${APP_READ_TIMEOUT}`,
      '# mod_fcgid passes no environment variable but PATH.',
      'FcgidInitialEnv NODE_ENV production',
      '# Node 22.1 and later keep compiled code here, so that the next process starts faster. Create it for the user of Apache:',
      '#   install -d -o www-data -m 700 /var/cache/fcgi-bridge',
      'FcgidInitialEnv NODE_COMPILE_CACHE /var/cache/fcgi-bridge',
    ),
    location: lines('Require all granted', 'Options +ExecCGI', `FcgidWrapper ${apacheWord(command)} virtual`),
    handler: 'SetHandler fcgid-script',
    chunkedLimit: 'FcgidMaxRequestLen limits a body without a Content-Length, with a 500.',
  })
  return { ...config, files: [...config.files, { path: SERVER_FILE, text: serverSettings() }] }
}

function serverSettings(): string {
  const install = lines(
    `Save this as ${SERVER_FILE}. Then:`,
    '  a2enconf fcgi-bridge-fcgid && apachectl configtest && systemctl reload apache2',
  )
  return lines(
    header(
      'mod_fcgid for all sites of this server',
      install,
      'Apache accepts these directives only outside of <VirtualHost>.',
    ),
    '',
    '# With the defaults, mod_fcgid starts 10 processes and then one in 3 seconds. With these settings it starts 10 and then',
    '# 4 per second, about as many as two cores can start.',
    'FcgidTerminationScore 0',
    'FcgidTimeScore 4',
    '# Ended processes count as running until mod_fcgid looks for them. The default interval is 3 seconds.',
    'FcgidErrorScanInterval 1',
    'FcgidZombieScanInterval 1',
    '',
  )
}
