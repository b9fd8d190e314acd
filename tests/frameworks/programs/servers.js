// Servers and frameworks without a build, as their documentation starts them.

import { form, json, MULTIPART, multipart, STANDARD_STREAM, standardRequests, UPLOAD } from '../requests.js'

const GRAPHQL = { headers: ['Accept', 'application/json'] }

/** @type {readonly import('./program.js').FrameworkProgram[]} */
export const SERVERS = [
  {
    name: 'Express',
    project: 'servers',
    versionsOf: ['express'],
    start: ['express.mjs'],
    requests: standardRequests(),
    stream: STANDARD_STREAM,
  },
  {
    name: 'Fastify',
    project: 'servers',
    versionsOf: ['fastify'],
    start: ['fastify.mjs'],
    isStartedByApache: true,
    requests: standardRequests({ upload: 'multipart' }),
    stream: STANDARD_STREAM,
  },
  {
    name: 'Koa',
    project: 'servers',
    versionsOf: ['koa'],
    start: ['koa.mjs'],
    requests: standardRequests(),
    stream: STANDARD_STREAM,
  },
  {
    name: 'hapi',
    project: 'servers',
    versionsOf: ['@hapi/hapi'],
    start: ['hapi.mjs'],
    requests: standardRequests(),
    stream: STANDARD_STREAM,
  },
  {
    name: 'Hono with @hono/node-server',
    project: 'servers',
    versionsOf: ['hono', '@hono/node-server'],
    start: ['hono.mjs'],
    requests: standardRequests({ upload: 'multipart' }),
    stream: STANDARD_STREAM,
  },
  {
    name: 'Hono as a fetch handler',
    project: 'servers',
    versionsOf: ['hono'],
    start: ['hono-fetch.mjs'],
    http: ['fetch-server.mjs', './hono-fetch.mjs'],
    changing: [/; ?charset/g],
    requests: standardRequests({ upload: 'multipart' }),
    stream: STANDARD_STREAM,
  },
  {
    name: 'h3',
    project: 'servers',
    versionsOf: ['h3'],
    start: ['h3.mjs'],
    requests: standardRequests({ upload: 'multipart' }),
    stream: STANDARD_STREAM,
  },
  {
    name: 'Apollo Server',
    project: 'servers',
    versionsOf: ['@apollo/server'],
    lacks: [
      'files',
      'forms',
      'streams',
      'uploads',
      'redirects',
      'cookies',
      'not found',
      'errors',
      'conditional',
    ],
    start: ['apollo.mjs'],
    changing: [/nonce(?:-|="?)[0-9a-f]+/g],
    requests: [
      { name: 'the landing page', path: '/', headers: ['Accept', 'text/html'] },
      json('a query', '/', { query: '{ hello(name: "Zoe") }' }, GRAPHQL),
      json('a mutation', '/', { query: 'mutation { add(text: "second") }' }, GRAPHQL),
      json('a resolver that fails', '/', { query: '{ fail }' }, GRAPHQL),
      json('a field that does not exist', '/', { query: '{ missing }' }, { ...GRAPHQL, status: 400 }),
      {
        name: 'a query in the URL, without the header against forged requests',
        path: '/?query=%7Bfail%7D',
        status: 400,
      },
    ],
  },
  {
    name: 'GraphQL Yoga',
    project: 'servers',
    versionsOf: ['graphql-yoga'],
    lacks: ['files', 'forms', 'redirects', 'cookies', 'errors', 'conditional'],
    start: ['yoga.mjs'],
    requests: [
      { name: 'GraphiQL', path: '/graphql', headers: ['Accept', 'text/html'] },
      { name: 'the health check', path: '/health' },
      json('a query', '/graphql', { query: '{ hello(name: "Zoe") }' }, GRAPHQL),
      json('a resolver that fails', '/graphql', { query: '{ fail }' }, GRAPHQL),
      {
        name: 'an upload of 3 MB',
        method: 'POST',
        path: '/graphql',
        headers: [...MULTIPART, ...GRAPHQL.headers],
        body: multipart({
          operations: '{"query":"mutation ($file: File!) { upload(file: $file) }","variables":{"file":null}}',
          map: '{"file":["variables.file"]}',
        }),
      },
      { name: 'a path without a page', path: '/missing', status: 404 },
    ],
    stream: {
      path: '/graphql?query=subscription%7Bcount%7D',
      headers: ['Accept', 'text/event-stream'],
      until: '"count":1',
      disconnectsPath: '/graphql?query=%7Bdisconnects%7D',
    },
  },
  {
    name: 'tRPC, standalone adapter',
    project: 'servers',
    versionsOf: ['@trpc/server'],
    lacks: ['pages', 'files', 'forms', 'redirects', 'cookies', 'conditional'],
    start: ['trpc-standalone.mjs'],
    requests: trpcRequests(''),
    stream: { path: '/count', until: 'data: 1', disconnectsPath: '/disconnects' },
  },
  {
    name: 'tRPC, fetch adapter',
    project: 'servers',
    versionsOf: ['@trpc/server'],
    lacks: ['pages', 'files', 'forms', 'redirects', 'cookies', 'conditional'],
    start: ['trpc-fetch.mjs'],
    http: ['fetch-server.mjs', './trpc-fetch.mjs'],
    requests: trpcRequests('/trpc'),
    stream: { path: '/trpc/count', until: 'data: 1', disconnectsPath: '/trpc/disconnects' },
  },
  {
    name: 'Socket.IO by polling',
    project: 'servers',
    versionsOf: ['socket.io'],
    lacks: ['pages', 'forms', 'streams', 'uploads', 'redirects', 'cookies', 'not found', 'errors'],
    start: ['socket.mjs'],
    requests: [
      { name: 'a handshake', path: '/socket.io/?EIO=4&transport=polling' },
      {
        name: 'a message to the session',
        method: 'POST',
        path: ([handshake]) => sessionUrl(handshake),
        headers: ['Content-Type', 'text/plain;charset=UTF-8'],
        body: '40',
      },
      { name: 'the reply', path: ([handshake]) => sessionUrl(handshake) },
      { name: 'the client in the browser', path: '/socket.io/socket.io.js', asset: true },
      {
        name: 'a session that does not exist',
        path: '/socket.io/?EIO=4&transport=polling&sid=missing',
        status: 400,
      },
    ],
    changing: [/"sid":"[^"]+"/g],
  },
  {
    name: 'json-server',
    project: 'servers',
    versionsOf: ['json-server'],
    lacks: ['pages', 'streams', 'uploads', 'redirects', 'cookies', 'errors'],
    start: ['node_modules/.bin/json-server', 'db.cjs', '--quiet', '--port', '$PORT'],
    requests: [
      { name: 'a file', path: '/style.css', asset: true },
      { name: 'a list', path: '/posts?_sort=views&_page=1&_limit=1' },
      { name: 'an object', path: '/posts/1', asset: true },
      { name: 'an object that does not exist', path: '/posts/9', status: 404 },
      json('a write', '/posts', { title: 'third' }, { status: 201 }),
      { name: 'what was written', path: '/posts/3' },
      { ...form('/posts', { title: 'fourth' }), status: 201 },
      { name: 'a removal', method: 'DELETE', path: '/posts/3' },
      { name: 'an object that was removed', path: '/posts/3', status: 404 },
    ],
  },
]

function trpcRequests(base) {
  return [
    { name: 'a query', path: `${base}/hello?input=%22Zoe%22` },
    { name: 'two queries in one', path: `${base}/hello,disconnects?batch=1&input=%7B%220%22%3A%22Zoe%22%7D` },
    {
      name: 'two queries in one, whose results are streamed',
      path: `${base}/hello,disconnects?batch=1&input=%7B%220%22%3A%22Zoe%22%7D`,
      headers: ['trpc-accept', 'application/jsonl'],
      // The fetch adapter sends the length of a body that is complete before the head is written.
      ignored: ['content-length'],
    },
    json('a mutation', `${base}/add`, { text: 'first' }),
    {
      name: 'an upload of 3 MB',
      method: 'POST',
      path: `${base}/upload`,
      headers: MULTIPART,
      body: multipart(),
    },
    {
      name: 'bytes',
      method: 'POST',
      path: `${base}/octets`,
      headers: ['Content-Type', 'application/octet-stream'],
      body: UPLOAD,
    },
    { name: 'input that is not valid', path: `${base}/hello?input=1`, status: 400 },
    { name: 'a procedure that fails', path: `${base}/fail`, status: 500 },
    { name: 'a procedure that does not exist', path: `${base}/missing`, status: 404 },
  ]
}

function sessionUrl(handshake) {
  const { sid } = JSON.parse(handshake.slice(1))
  return `/socket.io/?EIO=4&transport=polling&sid=${sid}`
}
