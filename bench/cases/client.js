// The client: the cost of a request for the process that sends it.

import { ClientSide } from '../lib/client-side.js'
import { compareSides } from '../lib/ratio.js'
import { core, helloWork } from './apps.js'
import { jsonRequest } from './json.js'

/** @type {import('./index.js').Case[]} */
export const clientCases = [
  clientCase('client-get', 'client: GET / undici Pool', helloWork),
  clientCase('client-post', 'client: POST 1 KiB / undici Pool', { ...helloWork, request: jsonRequest }),
]

function clientCase(name, title, work) {
  return {
    name,
    quick: true,
    everyNode: true,
    run: (setting) =>
      compareSides(
        {
          work,
          sides: { fastcgi: core.side, http: core.peer },
          start: ClientSide.start,
          rows: [{ name: title, side: 'fastcgi', peer: 'http', bar: 1 }],
        },
        setting,
      ),
  }
}
