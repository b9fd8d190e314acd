// What docs/frameworks.md says of the programs, by name. Each statement is one that the tests showed, or that the framework documents.

/**
 * @typedef {object} Notes
 * @property {string} title The section's heading.
 * @property {string} [build] Commands.
 * @property {string} start Arguments of `node`, or the command after `npx`.
 * @property {readonly string[]} [about] Markdown, one list item each.
 */

/** @type {Readonly<Record<string, Notes>>} */
export const NOTES = {
  'Next.js, standalone output': {
    title: 'Next.js with `output: standalone`',
    build: 'npx next build\ncp -r public .next/standalone/\ncp -r .next/static .next/standalone/.next/',
    start: '.next/standalone/server.js',
    about: [
      '`request.url` in route handlers has the host and the port on which Next.js believes it listens (`HOSTNAME`, `PORT`), not those of the request. It is the same behind every reverse proxy. Read the `Host` header to build absolute URLs.',
      '`fcgi-bridge config` lets the web server serve `.next/static`, and browsers keep these files for a year. Then only the first `cp` command is needed.',
    ],
  },
  'Next.js with a custom server': {
    title: 'Next.js with a custom server',
    build: 'npx next build',
    start: 'server.mjs',
    about: [
      'Pass `hostname` and `port` to `next()`: Next.js builds `request.url` from them.',
      'There is no WebSocket over FastCGI, so `next dev` needs its own HTTP server.',
    ],
  },
  Nuxt: {
    title: 'Nuxt',
    build: 'npx nuxt build',
    start: '.output/server/index.mjs',
    about: [
      '`fcgi-bridge config` lets the web server serve `.output/public`. Then set `nitro: { serveStatic: false }` in `nuxt.config.ts`, so that the program does not look for files.',
      'If the web server does not serve the files, the program does: `serveStatic` is `true` by default.',
    ],
  },
  'Nitro, node-server output': {
    title: 'Nitro',
    build: 'npx nitro build --preset=node-server',
    start: '.output/server/index.mjs',
    about: ['To let the program serve the files in `public`, set `serveStatic: true`.'],
  },
  'Nitro, fetch output': {
    title: 'Nitro as a fetch handler',
    build: 'npx nitro build --preset=standard',
    start: 'fcgi-bridge serve .output/server/index.mjs',
    about: [
      'The build exports `{ fetch }`. It serves no files: let the web server serve `.output/public`.',
      'The response to a HEAD request has no `Content-Length`, unless the handler sets it.',
    ],
  },
  SvelteKit: {
    title: 'SvelteKit with adapter-node',
    build: 'npx vite build',
    start: 'build/index.js',
    about: [
      'Set `PROTOCOL_HEADER=x-forwarded-proto` in the environment, and print the web server’s configuration with `--forwarded-headers`. adapter-node reads the scheme from a header only, and assumes `https` without it. Forms over HTTP are then refused with 403, “Cross-site POST form submissions are forbidden”. A site that has only HTTPS needs neither.',
      'The request body may have 512 KiB. `BODY_SIZE_LIMIT=10M` allows more.',
    ],
  },
  'Astro, standalone mode': {
    title: 'Astro with @astrojs/node, standalone mode',
    build: 'npx astro build',
    start: 'dist/server/entry.mjs',
  },
  'React Router with react-router-serve': {
    title: 'React Router',
    build: 'npx react-router build',
    start: 'node_modules/.bin/react-router-serve build/server/index.js',
    about: [
      'Run it in the folder of the project: `react-router-serve` reads `build/client` from the working directory.',
    ],
  },
  'TanStack Start': {
    title: 'TanStack Start',
    build: 'npx vite build',
    start: 'fcgi-bridge serve dist/server/server.js',
    about: [
      'The build exports `{ fetch }`. It serves no files: let the web server serve `dist/client` (`fcgi-bridge config nginx dist/server/server.js --static dist/client`).',
      'With the plugin `nitro()` of `nitro/vite`, the program is `.output/server/index.mjs`. It was not tested: Nitro 3.0.0 does not accept the Vite that TanStack Start needs.',
    ],
  },
  'NestJS on Express': { title: 'NestJS on Express', build: 'npx tsc', start: 'dist/main.js' },
  'NestJS on Fastify': { title: 'NestJS on Fastify', build: 'npx tsc', start: 'dist/main.js' },
  AdonisJS: {
    title: 'AdonisJS',
    build: 'node ace build\ncd build && npm ci --omit=dev',
    start: 'bin/server.js',
    about: [
      'Run it in the folder `build`. Set `HOST` and `PORT` as usual, although nothing listens on them.',
    ],
  },
  'Elysia with @elysiajs/node': {
    title: 'Elysia',
    start: 'server.js',
    about: ['On Node, Elysia needs `adapter: node()` of `@elysiajs/node`.'],
  },
  "Vite's SSR server in production": {
    title: 'A server with Vite’s SSR build',
    build: 'npx vite build --outDir dist/client\nnpx vite build --ssr src/server.js --outDir dist/server',
    start: 'server.js',
  },
  "Vite's SSR middleware": {
    title: 'Vite’s SSR middleware, in development',
    start: 'server.js',
    about: [
      'Set `server: { middlewareMode: true, hmr: false, ws: false }`: there is no WebSocket over FastCGI. For hot module replacement, develop with the HTTP server.',
    ],
  },
  'Better Auth': {
    title: 'Better Auth',
    start: 'server.js',
    about: [
      'Better Auth limits the rate of requests by the client’s address, which it reads from `X-Forwarded-For` only. Print the configuration with `--forwarded-headers`. Without it, all clients share one limit, and a client that sends a header of its own evades it.',
    ],
  },
  Verdaccio: {
    title: 'Verdaccio',
    start: 'node_modules/.bin/verdaccio --config config.yaml',
    about: [
      'Tested with the npm client: `npm publish` of 3 MB, `npm install` in an empty folder, `npm search`.',
      'If the URLs of archives have the wrong scheme or host, set `VERDACCIO_PUBLIC_URL`.',
      'Raise `max_body_size` in `config.yaml` and `--max-body` for large packages.',
    ],
  },
  Express: { title: 'Express', start: 'server.js' },
  Fastify: { title: 'Fastify', start: 'server.js' },
  Koa: { title: 'Koa', start: 'server.js' },
  hapi: { title: 'hapi', start: 'server.js' },
  'Hono with @hono/node-server': { title: 'Hono with `serve` of @hono/node-server', start: 'server.js' },
  'Hono as a fetch handler': {
    title: 'Hono as a fetch handler',
    start: 'fcgi-bridge serve app.js',
    about: ['The module only exports the app: `export default app`.'],
  },
  h3: { title: 'h3', start: 'server.js' },
  'Apollo Server': { title: 'Apollo Server, standalone', start: 'server.js' },
  'GraphQL Yoga': {
    title: 'GraphQL Yoga',
    start: 'server.js',
    about: ['Subscriptions over server-sent events work. Those over WebSocket do not.'],
  },
  'tRPC, standalone adapter': {
    title: 'tRPC with the standalone adapter',
    start: 'server.js',
    about: ['Use `httpSubscriptionLink` for subscriptions: there is no WebSocket over FastCGI.'],
  },
  'tRPC, fetch adapter': { title: 'tRPC with the fetch adapter', start: 'fcgi-bridge serve app.js' },
  'Socket.IO by polling': {
    title: 'Socket.IO',
    start: 'server.js',
    about: [
      "Clients connect by polling. Set `transports: ['polling']` in the server and in its clients, or the clients try an upgrade to WebSocket, which fails. A session belongs to one process: no `--workers`, and no mod_fcgid.",
    ],
  },
  'json-server': { title: 'json-server', start: 'node_modules/.bin/json-server db.json --port 3000' },
}
