// The client with other projects' FastCGI servers, and with this project's.
import { join } from 'node:path'
import { type ExchangeEnd, FastCgiDispatcher, type FastCgiDispatcherOptions } from '@fcgi-bridge/client'
import { request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { testClient } from '../support/peers/client-cases.ts'
import { PHP_ROOT, startPhpCgi, startPhpFpm } from '../support/peers/php.ts'
import { startCore, startGo, startLibfcgi } from '../support/peers/programs.ts'

const php: FastCgiDispatcherOptions = {
  documentRoot: PHP_ROOT,
  params: { SCRIPT_FILENAME: join(PHP_ROOT, 'index.php') },
}

for (const socket of ['unix', 'tcp'] as const) {
  describe(`PHP-FPM, ${socket}`, () => {
    testClient(() => startPhpFpm({ socket }), { options: php, readsForms: true, hasStderr: true })
  })

  describe(`php-cgi -b, ${socket}`, () => {
    testClient(() => startPhpCgi({ socket }), { options: php, readsForms: true, hasStderr: true })
  })

  describe(`Go's net/http/fcgi, ${socket}`, () => {
    testClient(() => startGo({ socket }), { readsForms: true })
  })

  describe(`libfcgi, ${socket}`, () => {
    testClient(() => startLibfcgi({ socket }), { hasStderr: true })
  })

  describe(`@fcgi-bridge/core, ${socket}`, () => {
    testClient(() => startCore({ socket }), { readsForms: true, hasStderr: true })
  })
}

describe('appStatus', () => {
  test('an observer gets the appStatus of a response', async () => {
    const ends: ExchangeEnd[] = []
    const dispatcher = await connectLibfcgi({ observer: { onEnd: (end) => ends.push(end) } })
    const response = await request('http://peer.test/status?status=7', { dispatcher })
    expect(await response.body.text()).toBe('ended with 7\n')
    expect(ends).toEqual([expect.objectContaining({ appStatus: 7, protocolStatus: 0 })])
  })

  test('the error of a program that exits without a response has the appStatus', async () => {
    const dispatcher = await connectLibfcgi()
    await expect(request('http://peer.test/exit?status=7', { dispatcher })).rejects.toMatchObject({
      name: 'FastCgiError',
      code: 'FCGI_ERR_NO_RESPONSE',
      appStatus: 7,
      protocolStatus: 0,
    })
  })
})

async function connectLibfcgi(options?: FastCgiDispatcherOptions): Promise<FastCgiDispatcher> {
  const peer = await startLibfcgi()
  const dispatcher = new FastCgiDispatcher(peer.address, options)
  onTestFinished(async () => {
    await dispatcher.destroy()
    await peer.stop()
  })
  return dispatcher
}
