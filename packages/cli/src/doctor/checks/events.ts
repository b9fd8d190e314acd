import type { Examination } from '../examination.ts'
import { type Finding, mend, mendFor, notInHtaccess, type ServerKind } from '../finding.ts'
import { STREAM_PAUSE } from '../probe.ts'

/** Whether an answer that is written piece by piece reaches the client so. */
export async function checkEvents({ ask, server }: Examination): Promise<Finding[]> {
  const headers = ['Accept', 'text/event-stream']
  const { answer } = await ask({ path: '/doctor/events', action: 'stream', headers })
  // Both events come, at once or one after the other.
  return answer.spread > STREAM_PAUSE / 2 ? [] : [buffering(server)]
}

/** An answer that streams does not reach the client as it comes. */
export function buffering(server: ServerKind): Finding {
  return {
    code: 'buffering',
    level: 'warning',
    seen: 'Events are held back until the answer is whole.',
    why: 'Server-sent events, progress and answers that are written as they are made do not show before their end, if they have one.',
    mend: mendFor(server, {
      nginx: mend('in the location of the app', 'fastcgi_buffering off;'),
      'apache-proxy': mend(
        'at the end of the ProxyPass line of the app, or of ProxySet in its <Proxy>',
        'flushpackets=on',
      ),
      'apache-fcgid': notInHtaccess(
        mend('in the virtual host', 'FcgidOutputBufferSize 0'),
        'ask the host, or let the client poll.',
      ),
      lighttpd: mend('where the app is', 'server.stream-response-body = 1'),
      caddy: mend('in the reverse_proxy of the app', 'flush_interval -1'),
      other: mend('Let the front server, and every proxy before it, hand on what comes at once.'),
    }),
  }
}
