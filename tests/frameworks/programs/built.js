// Frameworks whose programs are built, and servers with projects of their own.

import { createHash } from 'node:crypto'
import { fields, form, json, MULTIPART, multipart, STANDARD_STREAM, standardRequests } from '../requests.js'

// Frameworks refuse forms from other origins.
const SAME_ORIGIN = ['Origin', 'http://app.test']
const HTML = ['Accept', 'text/html']
const FROM_PAGE = [...SAME_ORIGIN, ...HTML]

const robots = { name: 'a public file', path: '/robots.txt', asset: true }

const style = { name: 'an asset', path: '/style.css', asset: true }

const upload = (path, { status = 200 } = {}) => ({
  name: 'an upload of 3 MB',
  method: 'POST',
  path,
  headers: [...MULTIPART, ...SAME_ORIGIN],
  body: multipart(),
  status,
})

/** An asset whose URL is in the first page. */
const assetOf = (pattern) => ({
  name: 'an asset of the page',
  path: (/** @type {string[]} */ [page]) => pattern.exec(page)?.[0] ?? '/the-page-has-no-asset',
  asset: true,
})

const nextRequests = [
  { name: 'a page', path: '/', asset: true },
  assetOf(/\/_next\/static\/[^"\\]+\.js/),
  robots,
  { name: 'the head of a page', method: 'HEAD', path: '/' },
  { name: 'what the app knows of the client', path: '/api/client?a=%2F&b' },
  { name: 'the page of a form', path: '/form' },
  {
    name: 'a server action without JavaScript',
    method: 'POST',
    path: '/form',
    headers: [...MULTIPART, ...SAME_ORIGIN],
    body: (/** @type {string[]} */ texts) => actionForm(texts.at(-1) ?? '', { name: 'Zoe' }),
    status: 303,
  },
  // React puts the streamed part before or after the data, as it happens.
  {
    name: 'the page after the redirect, with cookies, streamed',
    path: '/hello',
    sendsCookies: true,
    contains: '<p>streamed</p>',
  },
  { name: 'a redirect', path: '/old', status: 308 },
  upload('/api/upload'),
  { name: 'a path without a page', path: '/missing', headers: HTML, status: 404 },
  { name: 'a page that fails', path: '/fail', headers: HTML, status: 500 },
]

const apiStream = { path: '/api/events', until: 'first', left: '/api/left' }

/** A page that the app compares with what the client has. */
const cached = { name: 'a page with an ETag and a date', path: '/cached', asset: true }

const nestRequests = [
  { name: 'a page', path: '/', asset: true },
  style,
  { name: 'what the app knows of the client', path: '/client?a=%2F&b' },
  { ...form('/form', { name: 'Zoe' }), status: 303 },
  { name: 'a page with cookies', path: '/hello', sendsCookies: true },
  json('JSON', '/json', { text: 'ä' }, { status: 201 }),
  json('JSON that is not valid', '/json', {}, { body: '{', status: 400 }),
  { name: 'a download', path: '/file' },
  upload('/upload', { status: 201 }),
  { name: 'an exception with a status', path: '/teapot', status: 418 },
  { name: 'a path without a page', path: '/missing', status: 404 },
  { name: 'a page that fails', path: '/fail', status: 500 },
]

/** @type {readonly import('./program.js').FrameworkProgram[]} */
export const BUILT = [
  {
    name: 'Next.js, standalone output',
    project: 'next',
    versionsOf: ['next'],
    folder: '.next/standalone',
    start: ['server.js'],
    env: { HOSTNAME: '127.0.0.1' },
    isStartedByApache: true,
    requests: nextRequests,
    stream: apiStream,
  },
  {
    name: 'Next.js with a custom server',
    project: 'next',
    versionsOf: ['next'],
    start: ['server.mjs'],
    requests: nextRequests,
    stream: apiStream,
  },
  {
    name: 'Nuxt',
    project: 'nuxt',
    versionsOf: ['nuxt'],
    start: ['.output/server/index.mjs'],
    isStartedByApache: true,
    requests: [
      { name: 'a page', path: '/', asset: true },
      assetOf(/\/_nuxt\/[^"]+\.js/),
      robots,
      { name: 'what the app knows of the client', path: '/api/client?a=%2F&b' },
      { ...form('/form', { name: 'Zoe' }), status: 303 },
      { name: 'the page after the redirect, with cookies', path: '/hello', sendsCookies: true },
      { name: 'a redirect', path: '/old', status: 307 },
      upload('/api/upload'),
      { name: 'a path without a page', path: '/missing', headers: HTML, status: 404 },
      { name: 'a page that fails', path: '/fail', headers: HTML, status: 500 },
    ],
    stream: apiStream,
  },
  {
    name: 'Nitro, node-server output',
    project: 'nitro',
    versionsOf: ['nitro'],
    start: ['.output/server/index.mjs'],
    requests: [...standardRequests({ upload: 'multipart', files: false }), robots, cached],
    stream: STANDARD_STREAM,
  },
  {
    name: 'Nitro, fetch output',
    project: 'nitro-fetch',
    versionsOf: ['nitro'],
    lacks: ['files'],
    start: ['.output/server/index.mjs'],
    http: ['fetch-server.mjs', './.output/server/index.mjs'],
    requests: [
      ...standardRequests({ upload: 'multipart', files: false }).map((request) =>
        // The Fetch API does not tell the length of a body that is not read.
        request.method === 'HEAD' ? { ...request, ignored: ['content-length'] } : request,
      ),
      cached,
    ],
    // Not /events: h3's event stream does not learn that the client has left, and then ends the HTTP server.
    stream: { path: '/stream', until: 'first', left: '/left' },
  },
  {
    name: 'SvelteKit',
    project: 'sveltekit',
    versionsOf: ['@sveltejs/kit', '@sveltejs/adapter-node'],
    start: ['build/index.js'],
    env: { PROTOCOL_HEADER: 'x-forwarded-proto', BODY_SIZE_LIMIT: '10M' },
    headers: ['X-Forwarded-Proto', 'http'],
    isStartedByApache: true,
    requests: [
      { name: 'a page', path: '/', asset: true },
      assetOf(/\/_app\/immutable\/[^"]+\.js/),
      robots,
      { name: 'the head of a page', method: 'HEAD', path: '/' },
      { name: 'what the app knows of the client', path: '/client?a=%2F&b' },
      { ...form('/form', {}, FROM_PAGE), status: 400 },
      { ...form('/form', { name: 'Zoe' }, FROM_PAGE), status: 303 },
      { name: 'the page after the redirect, with cookies, streamed', path: '/hello', sendsCookies: true },
      { ...form('/form', { name: 'Zoe' }, ['Origin', 'http://other.test', ...HTML]), status: 403 },
      { name: 'a redirect', path: '/old', status: 308 },
      upload('/upload'),
      { name: 'a path without a page', path: '/missing', headers: HTML, status: 404 },
      { name: 'a page that fails', path: '/fail', headers: HTML, status: 500 },
    ],
    stream: STANDARD_STREAM,
  },
  {
    name: 'Astro, standalone mode',
    project: 'astro',
    versionsOf: ['astro', '@astrojs/node'],
    start: ['dist/server/entry.mjs'],
    requests: [
      { name: 'a page', path: '/', asset: true },
      assetOf(/\/_astro\/[^"]+\.css/),
      robots,
      { ...form('/form', { name: 'Zoe' }, SAME_ORIGIN), status: 303 },
      { name: 'the page after the redirect, with cookies', path: '/hello', sendsCookies: true },
      { ...form('/form', { name: 'Zoe' }, ['Origin', 'http://other.test']), status: 403 },
      { name: 'a redirect', path: '/old', status: 301 },
      upload('/api/upload'),
      { name: 'a path without a page', path: '/missing', headers: HTML, status: 404 },
      { name: 'a page that fails', path: '/fail', headers: HTML, status: 500 },
    ],
    stream: apiStream,
  },
  {
    name: 'React Router with react-router-serve',
    project: 'react-router',
    versionsOf: ['react-router'],
    start: ['node_modules/.bin/react-router-serve', 'build/server/index.js'],
    requests: [
      { name: 'a page', path: '/', asset: true },
      assetOf(/\/assets\/[^"]+\.js/),
      robots,
      { name: 'what the app knows of the client', path: '/client?a=%2F&b' },
      { ...form('/form', { name: 'Zoe' }, SAME_ORIGIN), status: 303 },
      { name: 'the page after the redirect, with cookies, streamed', path: '/hello', sendsCookies: true },
      { name: 'a redirect', path: '/old', status: 308 },
      upload('/upload'),
      { name: 'a path without a page', path: '/missing', headers: HTML, status: 404 },
      { name: 'a page that fails', path: '/fail', headers: HTML, status: 500 },
    ],
    stream: STANDARD_STREAM,
  },
  {
    name: 'TanStack Start',
    project: 'tanstack-start',
    versionsOf: ['@tanstack/react-start'],
    lacks: ['files', 'conditional'],
    start: ['dist/server/server.js'],
    http: ['fetch-server.mjs', './dist/server/server.js'],
    changing: [/; ?charset/g, /\bu:\d{13}/g],
    requests: [
      { name: 'a page', path: '/' },
      { ...form('/api/form', { name: 'Zoe' }, SAME_ORIGIN), status: 303 },
      { name: 'the page after the redirect, with cookies', path: '/hello', sendsCookies: true },
      { name: 'the page of a form', path: '/action' },
      {
        name: 'a server function without JavaScript',
        method: 'POST',
        path: (/** @type {string[]} */ texts) =>
          /action="([^"]+)"/.exec(texts.at(-1) ?? '')?.[1] ?? '/the-page-has-no-form',
        headers: [...MULTIPART, ...FROM_PAGE],
        body: fields({ name: 'Ada' }),
        status: 303,
      },
      { name: 'the page after the redirect, with the new cookie', path: '/hello', sendsCookies: true },
      { name: 'a redirect', path: '/old', status: 308 },
      upload('/api/upload'),
      { name: 'a path without a page', path: '/missing', headers: HTML, status: 404 },
      { name: 'a page that fails', path: '/fail', headers: HTML, status: 500 },
    ],
    stream: apiStream,
  },
  {
    name: 'NestJS on Express',
    project: 'nest',
    versionsOf: ['@nestjs/core', '@nestjs/platform-express'],
    start: ['dist/express.js'],
    isStartedByApache: true,
    requests: nestRequests,
    stream: STANDARD_STREAM,
  },
  {
    name: 'NestJS on Fastify',
    project: 'nest',
    versionsOf: ['@nestjs/core', '@nestjs/platform-fastify'],
    start: ['dist/fastify.js'],
    requests: nestRequests,
    stream: STANDARD_STREAM,
  },
  {
    name: 'AdonisJS',
    project: 'adonis',
    versionsOf: ['@adonisjs/core'],
    folder: 'build',
    start: ['bin/server.js'],
    env: { HOST: '127.0.0.1' },
    requests: standardRequests({ upload: 'multipart' }),
    stream: STANDARD_STREAM,
  },
  {
    name: 'Elysia with @elysiajs/node',
    project: 'elysia',
    versionsOf: ['elysia', '@elysiajs/node'],
    start: ['server.mjs'],
    requests: standardRequests({ upload: 'multipart' }),
    stream: STANDARD_STREAM,
  },
  {
    name: "Vite's SSR server in production",
    project: 'vite-ssr',
    versionsOf: ['vite'],
    lacks: ['forms', 'streams', 'uploads', 'redirects', 'cookies', 'not found', 'errors'],
    start: ['server.mjs'],
    requests: [{ name: 'a page', path: '/a%2Fb?c', headers: HTML }, assetOf(/\/assets\/[^"]+\.js/)],
  },
  {
    name: "Vite's SSR middleware",
    project: 'vite-ssr',
    versionsOf: ['vite'],
    lacks: ['forms', 'streams', 'uploads', 'redirects', 'cookies', 'not found', 'errors'],
    start: ['server.mjs'],
    env: { NODE_ENV: 'development' },
    requests: [
      { name: 'a page', path: '/a', headers: HTML },
      { name: 'a module', path: '/src/client.js', asset: true },
      { name: 'a style as a module', path: '/src/style.css', headers: ['Accept', '*/*'] },
    ],
  },
  {
    name: 'Better Auth',
    project: 'better-auth',
    versionsOf: ['better-auth'],
    lacks: ['pages', 'files', 'forms', 'streams', 'uploads', 'errors', 'conditional'],
    start: ['server.mjs'],
    requests: [
      { name: 'without a session', path: '/me' },
      json('sign up', '/api/auth/sign-up/email', account('Zoe'), { headers: SAME_ORIGIN }),
      { name: 'with the session in a cookie', path: '/me', sendsCookies: true },
      json('sign out', '/api/auth/sign-out', {}, { headers: SAME_ORIGIN }),
      { name: 'after signing out', path: '/me' },
      json('sign in with a wrong password', '/api/auth/sign-in/email', account('Zoe', 'not this one'), {
        headers: SAME_ORIGIN,
        status: 401,
      }),
      { name: 'a redirect', path: '/api/auth/verify-email?token=wrong&callbackURL=%2Fwelcome', status: 302 },
      { name: 'a path without a page', path: '/api/auth/missing', status: 404 },
    ],
    changing: [/session_token=[^;]+/g, /"token":"[^"]+"/g, /"id":"[^"]+"/g, /\d{4}-\d\d-\d\dT[\d:.]+Z/g],
  },
  {
    name: 'Verdaccio',
    project: 'verdaccio',
    versionsOf: ['verdaccio'],
    lacks: ['forms', 'streams', 'redirects', 'cookies', 'errors'],
    start: ['node_modules/.bin/verdaccio', '--listen', '127.0.0.1:$PORT', '--config', 'config.yaml'],
    env: { VERDACCIO_STORAGE_PATH: '$FOLDER' },
    requests: [
      { name: 'a page', path: '/', headers: HTML, asset: true },
      assetOf(/\/-\/static\/[^"\\]+\.js/),
      { name: 'ping', path: '/-/ping' },
      {
        name: 'publish 3 MB',
        method: 'PUT',
        path: '/large',
        headers: ['Content-Type', 'application/json'],
        body: packument(),
        status: 201,
      },
      {
        name: 'what install reads first',
        path: '/large',
        headers: ['Accept', 'application/vnd.npm.install-v1+json'],
      },
      { name: 'the archive', path: '/large/-/large-1.0.0.tgz', asset: true },
      { name: 'search', path: '/-/v1/search?text=large' },
      { name: 'a package that does not exist', path: '/missing', status: 404 },
    ],
    changing: [
      /\d{4}-\d\d-\d\dT[\d:.]+Z/g,
      /"_rev":"[^"]+"/g,
      /x-ratelimit-reset: \d+/g,
      /"time":"[^"]+"/g,
      /127\.0\.0\.1:\d+/g,
    ],
  },
]

function actionForm(page, values) {
  const action = /name="(\$ACTION_ID_[0-9a-f]+)"/.exec(page)?.[1] ?? 'the page has no action'
  return fields({ [action]: '', ...values })
}

function account(name, password = 'a long password') {
  return { name, email: `${name.toLowerCase()}@example.com`, password }
}

// What `npm publish` sends.
function packument() {
  const archive = Buffer.alloc(3_000_000, 'archive ')
  const data = archive.toString('base64')
  const version = {
    name: 'large',
    version: '1.0.0',
    dist: {
      tarball: 'http://app.test/large/-/large-1.0.0.tgz',
      shasum: createHash('sha1').update(archive).digest('hex'),
    },
  }
  return JSON.stringify({
    _id: 'large',
    name: 'large',
    'dist-tags': { latest: '1.0.0' },
    versions: { '1.0.0': version },
    _attachments: {
      'large-1.0.0.tgz': { content_type: 'application/octet-stream', data, length: 3_000_000 },
    },
  })
}
