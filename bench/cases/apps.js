// The apps of several cases, each with the same app over HTTP.

/** @typedef {{ side: import('../lib/server.js').ServerSpec, peer: import('../lib/server.js').ServerSpec }} Pair */

/** The fetch adapter and @hono/node-server, both with the global Request and Response replaced. @type {Pair} */
export const hono = {
  side: { program: 'hono-fastcgi.js', variant: 'on', protocol: 'fastcgi' },
  peer: { program: 'hono-http.js', variant: 'on', protocol: 'http' },
}

/** The Express adapter and `node:http`. @type {Pair} */
export const express = {
  side: { program: 'express-fastcgi.js', variant: 'express5', protocol: 'fastcgi' },
  peer: { program: 'express-http.js', variant: 'express5', protocol: 'http' },
}

/** Plain core and plain `node:http`. @type {Pair} */
export const core = {
  side: { program: 'core.js', protocol: 'fastcgi' },
  peer: { program: 'http.js', protocol: 'http' },
}

/** A request to which all of them send the same response. @type {import('../lib/side.js').Work} */
export const helloWork = { request: { path: '/' }, expected: { body: 'Hello, world!' } }
