// The routes of all peers in these tests, on this project's own server.
import { crc32 } from 'node:zlib'
import { serve } from '@fcgi-bridge/fetch-adapter'
import { Control } from '../../apps/control.js'

const control = new Control()
const PIECE = Buffer.from('0123456789abcdef'.repeat(4096))

/** Handlers by path. */
const routes = {
  '/params': (_, { params }) =>
    new Response(
      Object.entries(params)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    ),

  '/body': async (request) => new Response(await checksum(request.body ?? [])),

  async '/upload'(request) {
    const file = (await request.formData()).get('file')
    return new Response(`${file.name} ${await checksum(file.stream())}`)
  },

  '/bytes': (request) => new Response(ReadableStream.from(bytes(Number(query(request, 'length'))))),

  '/stream': (request) => new Response(ReadableStream.from(stream(query(request, 'id')))),

  '/stderr'(_, { stderr }) {
    stderr.write('a line for FCGI_STDERR')
    return new Response('written\n')
  },

  '/redirect': () => new Response(null, { status: 302, headers: { location: '/params?redirected' } }),
}

function query(request, name) {
  return new URL(request.url).searchParams.get(name)
}

async function checksum(body) {
  let length = 0
  let crc = 0
  for await (const chunk of body) {
    length += chunk.length
    crc = crc32(chunk, crc)
  }
  return `${length} ${crc.toString(16).padStart(8, '0')}`
}

function* bytes(length) {
  for (let left = length; left > 0; left -= PIECE.length) yield PIECE.subarray(0, left)
}

async function* stream(id) {
  yield Buffer.from('first\n')
  control.send(id, 'held')
  await control.waitFor(id, 'continue')
  yield Buffer.from('last\n')
}

await serve((request, context) => {
  const { pathname } = new URL(request.url)
  return routes[pathname]?.(request, context) ?? new Response('nothing here\n', { status: 404 })
})
