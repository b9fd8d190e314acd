// The projects whose programs the tests of frameworks run: the packages of each, and how its documentation builds it. The files of a
// project are in projects/NAME. To raise versions, change them here, and the day.

/**
 * The packages that these packages depend on are those of this day. With the exact versions below, an installation
 * never changes.
 */
export const AS_OF = '2026-11-30'

/**
 * @typedef {object} Project
 * @property {Readonly<Record<string, string>>} packages Exact versions.
 * @property {readonly (readonly string[])[]} [build] Commands: a program of node_modules/.bin, and its arguments.
 * @property {string} [sources] The folder of its files in projects/, if that has another name.
 * @property {readonly string[]} [scripts] The packages whose install scripts must run.
 * @property {Readonly<Record<string, string>>} [overrides] Versions of packages that its packages need.
 * @property {boolean} [newestNode] Whether it needs a newer Node than the oldest that fcgi-bridge supports. It then runs with the newest.
 */

const REACT = { react: '19.3.1', 'react-dom': '19.3.1' }
const VITE = { vite: '8.4.0' }

/** @type {Readonly<Record<string, Project>>} */
export const PROJECTS = {
  servers: {
    packages: {
      '@apollo/server': '5.5.1',
      '@fastify/cookie': '11.1.5',
      '@fastify/formbody': '9.0.1',
      '@fastify/multipart': '10.1.9',
      '@fastify/static': '10.1.11',
      '@hapi/hapi': '21.4.10',
      '@hapi/inert': '7.1.2',
      '@hono/node-server': '2.1.9',
      '@koa/bodyparser': '6.1.0',
      '@koa/router': '15.7.0',
      '@trpc/server': '11.25.2',
      express: '5.3.0',
      fastify: '5.12.8',
      graphql: '16.11.0',
      'graphql-yoga': '5.24.1',
      h3: '2.0.8',
      hono: '4.13.19',
      'json-server': '0.17.4',
      koa: '3.3.0',
      'koa-static': '5.0.0',
      'socket.io': '4.8.4',
      zod: '4.6.7',
    },
  },
  next: {
    packages: { next: '16.4.6', ...REACT },
    build: [
      ['next', 'build'],
      // The documentation: the standalone server serves these if they are copied.
      ['node', '-e', "fs.cpSync('public', '.next/standalone/public', { recursive: true })"],
      ['node', '-e', "fs.cpSync('.next/static', '.next/standalone/.next/static', { recursive: true })"],
    ],
    newestNode: true,
  },
  sveltekit: {
    packages: {
      '@sveltejs/adapter-node': '6.0.1',
      '@sveltejs/kit': '3.2.0',
      '@sveltejs/vite-plugin-svelte': '7.3.1',
      svelte: '5.57.3',
      ...VITE,
    },
    build: [['vite', 'build']],
    newestNode: true,
  },
  nuxt: {
    packages: { nuxt: '4.5.2', vue: '3.5.45' },
    // It does not build with a later Vite.
    overrides: { vite: '8.2.6' },
    build: [['nuxt', 'build']],
    newestNode: true,
  },
  nitro: {
    packages: { nitro: '3.0.0' },
    build: [['nitro', 'build', '--preset=node-server']],
    newestNode: true,
  },
  'nitro-fetch': {
    sources: 'nitro',
    packages: { nitro: '3.0.0', '@hono/node-server': '2.1.9', hono: '4.13.19' },
    build: [['nitro', 'build', '--preset=standard']],
    newestNode: true,
  },
  astro: {
    packages: { '@astrojs/node': '11.1.6', astro: '7.3.5' },
    build: [['astro', 'build']],
    newestNode: true,
  },
  'react-router': {
    packages: {
      '@react-router/dev': '8.4.0',
      '@react-router/node': '8.4.0',
      '@react-router/serve': '8.4.0',
      isbot: '5.2.3',
      'react-router': '8.4.0',
      ...REACT,
      ...VITE,
    },
    build: [['react-router', 'build']],
    newestNode: true,
  },
  'tanstack-start': {
    packages: {
      '@hono/node-server': '2.1.9',
      '@tanstack/react-router': '1.170.46',
      '@tanstack/react-start': '1.169.5',
      '@vitejs/plugin-react': '6.3.0',
      hono: '4.13.19',
      ...REACT,
      ...VITE,
    },
    build: [['vite', 'build']],
    newestNode: true,
  },
  nest: {
    packages: {
      '@fastify/multipart': '10.1.9',
      '@fastify/static': '10.1.11',
      '@nestjs/common': '12.5.1',
      '@nestjs/core': '12.5.1',
      '@nestjs/platform-express': '12.5.1',
      '@nestjs/platform-fastify': '12.5.0',
      '@types/node': '20.19.43',
      'reflect-metadata': '0.2.2',
      rxjs: '7.8.2',
      typescript: '5.9.3',
    },
    build: [['tsc']],
  },
  'better-auth': {
    packages: { '@hono/node-server': '2.1.9', 'better-auth': '1.7.25', hono: '4.13.19' },
    newestNode: true,
  },
  elysia: {
    packages: { '@elysiajs/node': '1.4.5', '@elysiajs/static': '1.4.10', elysia: '1.4.30' },
  },
  'vite-ssr': {
    packages: { express: '5.3.0', ...VITE },
    build: [
      ['vite', 'build', '--outDir', 'dist/client'],
      ['vite', 'build', '--ssr', 'src/server.js', '--outDir', 'dist/server'],
    ],
  },
  adonis: {
    packages: {
      '@adonisjs/assembler': '8.5.2',
      '@adonisjs/core': '7.5.2',
      '@adonisjs/static': '2.0.1',
      '@adonisjs/tsconfig': '2.0.0',
      '@poppinss/ts-exec': '1.4.4',
      '@types/node': '24.10.1',
      'reflect-metadata': '0.2.2',
      typescript: '5.9.3',
    },
    build: [['node', 'ace', 'build']],
    newestNode: true,
  },
  verdaccio: {
    packages: { verdaccio: '6.10.4' },
    // One of its packages asks for a version by a name that only some registries have.
    overrides: { 'node-fetch': '2.7.0' },
    newestNode: true,
  },
}
