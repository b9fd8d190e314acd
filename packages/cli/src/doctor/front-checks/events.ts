import type { Examination } from '../examination.ts'
import { type Finding, fix, fixFor, notInHtaccess, type ServerKind } from '../finding.ts'
import { STREAM_PAUSE } from '../probe.ts'

/** Checks whether the front server forwards a streaming response without buffering it. */
export async function checkEvents({ send, server }: Examination): Promise<Finding[]> {
  const headers = ['Accept', 'text/event-stream']
  const { response } = await send({ path: '/doctor/events', action: 'stream', headers })
  // The client gets both events in any case. If the front server buffers them, they arrive together.
  return response.spread > STREAM_PAUSE / 2 ? [] : [buffering(server)]
}

/** The finding that the front server buffers a streaming response. */
export function buffering(server: ServerKind): Finding {
  return {
    code: 'buffering',
    level: 'warning',
    problem: 'The front server buffers events until the response ends.',
    why: 'Server-sent events and other streaming responses reach the client late, or never if they do not end.',
    fix: fixFor(server, {
      nginx: fix('in the location of the app', 'fastcgi_buffering off;'),
      'apache-proxy': fix(
        'at the end of the ProxyPass line of the app, or of ProxySet in its <Proxy>',
        'flushpackets=on',
      ),
      'apache-fcgid': notInHtaccess(
        fix('in the virtual host', 'FcgidOutputBufferSize 0'),
        'ask the hosting provider, or let the client poll.',
      ),
      lighttpd: fix('in the block of the app', 'server.stream-response-body = 1'),
      caddy: fix('in the reverse_proxy of the app', 'flush_interval -1'),
      other: fix('Turn off response buffering in the front server, and in every proxy before it.'),
    }),
  }
}
