// Frameworks and servers whose programs have projects of their own.

import { createHash } from 'node:crypto'
import { form, json, STANDARD_STREAM, standardRequests } from '../requests.js'
import { assetOf, HTML, SAME_ORIGIN, upload } from './browser-requests.js'

const style = { name: 'an asset', path: '/style.css', asset: true }

const nestRequests = [
  { name: 'a page', path: '/', asset: true },
  style,
  { name: 'what the app knows of the client', path: '/client?a=%2F&b' },
  { ...form('/form', { name: 'Zoe' }), status: 303 },
  { name: 'a page with cookies', path: '/hello', requiresCookies: true },
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
      { name: 'with the session in a cookie', path: '/me', requiresCookies: true },
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
