// Frameworks of whole sites, whose programs are built.

import { fields, form, MULTIPART, STANDARD_STREAM, standardRequests } from '../requests.js'
import { assetOf, HTML, SAME_ORIGIN, upload } from './browser-requests.js'

const FROM_PAGE = [...SAME_ORIGIN, ...HTML]

const robots = { name: 'a public file', path: '/robots.txt', asset: true }

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
    requiresCookies: true,
    contains: '<p>streamed</p>',
  },
  { name: 'a redirect', path: '/old', status: 308 },
  upload('/api/upload'),
  { name: 'a path without a page', path: '/missing', headers: HTML, status: 404 },
  { name: 'a page that fails', path: '/fail', headers: HTML, status: 500 },
]

const apiStream = { path: '/api/events', until: 'first', disconnectsPath: '/api/disconnects' }

/** A page that the app compares with what the client has. */
const cached = { name: 'a page with an ETag and a date', path: '/cached', asset: true }

/** @type {readonly import('./program.js').FrameworkProgram[]} */
export const FULL_STACK = [
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
      { name: 'the page after the redirect, with cookies', path: '/hello', requiresCookies: true },
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
    // Not /events: h3's event stream does not detect that the client has disconnected, and then ends the HTTP server.
    stream: { path: '/stream', until: 'first', disconnectsPath: '/disconnects' },
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
      { name: 'the page after the redirect, with cookies, streamed', path: '/hello', requiresCookies: true },
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
      { name: 'the page after the redirect, with cookies', path: '/hello', requiresCookies: true },
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
      { name: 'the page after the redirect, with cookies, streamed', path: '/hello', requiresCookies: true },
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
      { name: 'the page after the redirect, with cookies', path: '/hello', requiresCookies: true },
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
      { name: 'the page after the redirect, with the new cookie', path: '/hello', requiresCookies: true },
      { name: 'a redirect', path: '/old', status: 308 },
      upload('/api/upload'),
      { name: 'a path without a page', path: '/missing', headers: HTML, status: 404 },
      { name: 'a page that fails', path: '/fail', headers: HTML, status: 500 },
    ],
    stream: apiStream,
  },
]

function actionForm(page, values) {
  const action = /name="(\$ACTION_ID_[0-9a-f]+)"/.exec(page)?.[1] ?? 'the page has no action'
  return fields({ [action]: '', ...values })
}
