import type { Request, Response } from 'express'
import type { Kit, Scenario } from '../differential.ts'

type Listener = (request: Request, response: Response, kit: Kit) => void

function scenario(name: string, listener: Listener, more: Partial<Scenario> = {}): Scenario {
  return {
    name,
    app: (app, kit) => void app.use((request, response) => listener(request, response, kit)),
    ...more,
  }
}

function codeOf(action: () => void): string {
  try {
    action()
    return 'no error'
  } catch (error) {
    const { name, code } = error as NodeJS.ErrnoException
    return `${name} ${code}`
  }
}

const statuses = [200, 201, 202, 204, 205, 206, 301, 304, 400, 404, 418, 451, 500, 503, 599, 799]

/** Ways in which apps send responses. */
export const responseScenarios: readonly Scenario[] = [
  scenario('callbacks of empty and of corked writes come before the end', (_, response, kit) => {
    process.nextTick(() => response.cork())
    response.write(Buffer.alloc(0), () => kit.note('empty'))
    setTimeout(() => response.end(() => kit.note('ended')), 20)
  }),
  scenario('destroyed after all bytes of the Content-Length: complete', (_, response) => {
    response.setHeader('Content-Length', 4)
    response.write('body', () => response.destroy())
  }),
  scenario('destroyed before all bytes of the Content-Length: cut off', (_, response) => {
    response.setHeader('Content-Length', 5)
    response.write('body', () => response.destroy())
  }),
  scenario(
    'destroyed after the head of a response to HEAD: complete',
    (_, response) => {
      response.flushHeaders()
      setTimeout(() => response.destroy(), 20)
    },
    { drive: (client) => client.fetch({ method: 'HEAD' }), trace: 'none' },
  ),
  scenario('destroyed within a chunked response: no finish', (request, response) => {
    response.write('part', () => {
      request.socket.destroy(new Error('destroyed'))
      response.end()
    })
  }),
  scenario('send: string', (_, response) => void response.send('<p>h\u00e9llo</p>')),
  scenario('send: long string', (_, response) => void response.send('\u20ac'.repeat(40_000))),
  scenario('send: Buffer', (_, response) => void response.send(Buffer.from([0, 255, 10]))),
  scenario('send: object', (_, response) => void response.send({ a: 1 })),
  scenario('send: null', (_, response) => void response.send(null)),
  scenario('send: nothing', (_, response) => void response.send()),
  scenario('send: boolean', (_, response) => void response.send(true)),
  scenario(
    'json, jsonp, and a set type',
    (_, response) => void response.type('application/problem+json').json({ a: '\u2028' }),
  ),
  scenario('jsonp with a callback', (_, response) => void response.jsonp({ a: 1 }), {
    drive: (client) => client.get('/?callback=cb'),
  }),
  scenario('sendStatus', (_, response) => void response.sendStatus(403)),
  scenario(
    'format',
    (_, response) =>
      void response.format({ html: () => void response.send('<b>'), json: () => void response.json({}) }),
    {
      drive: (client) => client.get('/', ['Accept', 'application/json']),
    },
  ),
  ...statuses.flatMap((status) => [
    scenario(`status ${status} with send`, (_, response) => void response.status(status).send('body')),
    scenario(`status ${status} with end`, (_, response) => {
      response.statusCode = status
      response.end(status === 205 ? undefined : 'body')
    }),
  ]),
  ...['GET', 'HEAD'].map((method) =>
    scenario(
      `${method}: write and end`,
      (_, response) => {
        response.write('one')
        response.write('two')
        response.end('three')
      },
      { drive: (client) => client.fetch({ method }) },
    ),
  ),
  scenario('HEAD: end with a body', (_, response) => void response.end('body'), {
    drive: (client) => client.fetch({ method: 'HEAD' }),
  }),
  scenario('end without a body', (_, response) => void response.end()),
  scenario('end with an empty body', (_, response) => void response.end('')),
  scenario('redirect', (_, response) => response.redirect('/there?a=\u00e9')),
  scenario('redirect to another site, with 307', (_, response) =>
    response.redirect(307, 'https://example.org/x'),
  ),
  scenario(
    'location and links',
    (_, response) => void response.location('../up').links({ next: 'http://example.test/2' }).end(),
  ),
  scenario('several cookies', (_, response) => {
    response.cookie('a', '1', { httpOnly: true, path: '/x' })
    response.cookie('b', '\u00e9 ;', { sameSite: 'strict', secure: true })
    response.clearCookie('c')
    response.end()
  }),
  scenario('append and vary', (_, response) => {
    response
      .append('X-A', '1')
      .append('X-A', ['2', '3'])
      .vary('Accept')
      .vary('Origin')
      .append('Warning', '199 x')
      .end()
  }),
  scenario(
    'attachment with a name beyond latin1',
    (_, response) => void response.attachment('\u20ac.txt').send('x'),
  ),
  scenario('setHeader: arrays, numbers, appendHeader', (_, response, kit) => {
    response.setHeader('X-Array', ['a', 'b'])
    response.setHeader('X-Number', 5)
    response.appendHeader('X-Array', 'c')
    response.setHeader('Cookie', ['a=1', 'b=2'])
    response.setHeader('X-Gone', 'x')
    response.removeHeader('x-gone')
    kit.note(
      JSON.stringify([response.getHeaders(), response.getHeaderNames(), response.hasHeader('X-NUMBER')]),
    )
    response.end('x')
  }),
  scenario('setHeaders with Headers and with a Map', (_, response) => {
    response.setHeaders(
      new Headers([
        ['x-a', '1'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ]),
    )
    response.setHeaders(new Map([['X-B', ['2', '3']]]))
    response.end('x')
  }),
  scenario('writeHead: object', (_, response) => {
    response.removeHeader('X-Powered-By')
    response.writeHead(201, { 'X-A': ['1', '2'], 'Content-Type': 'text/plain' }).end('x')
  }),
  scenario('writeHead: flat list with repeats', (_, response) => {
    response.removeHeader('X-Powered-By')
    response.writeHead(200, ['X-A', '1', 'X-A', '2', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'])
    response.end('x')
  }),
  scenario('writeHead: over set headers', (_, response) => {
    response.setHeader('X-A', 'set')
    response.setHeader('X-B', 'set')
    response.writeHead(200, 'Fine', { 'X-A': 'head' })
    response.end('x')
  }),
  scenario('writeHead: bad headers', (_, response, kit) => {
    response.removeHeader('X-Powered-By')
    for (const headers of [{ 'X A': 'x' }, { 'X-A': 'a\nb' }, { 'X-A': '\u20ac' }, { 'X-A': undefined }]) {
      kit.note(codeOf(() => response.writeHead(200, headers as never)))
    }
    kit.note(codeOf(() => response.writeHead(200, ['X-A'])))
    kit.note(String(response.headersSent))
    response.end('still fine')
  }),
  scenario('writeHead: bad status', (_, response, kit) => {
    for (const status of [0, 99, 1000, 'x', undefined])
      kit.note(codeOf(() => response.writeHead(status as number)))
    response.end('still fine')
  }),
  scenario('writeHead twice, and setHeader after it', (_, response, kit) => {
    response.writeHead(200)
    kit.note(codeOf(() => response.writeHead(404)))
    kit.note(codeOf(() => response.setHeader('X-A', '1')))
    kit.note(codeOf(() => response.removeHeader('X-A')))
    kit.note(`${response.headersSent} ${response.statusCode}`)
    response.end('x')
  }),
  scenario('setHeader: bad names and values', (_, response, kit) => {
    for (const [name, value] of [
      ['', 'x'],
      ['a b', 'x'],
      ['x-a', 'a\r\nb'],
      ['x-a', undefined],
      ['x-a', '\u{1f600}'],
    ]) {
      kit.note(codeOf(() => response.setHeader(name as string, value as string)))
    }
    response.end('x')
  }),
  scenario('statusMessage', (_, response) => {
    response.statusCode = 404
    response.statusMessage = 'Nothing here'
    response.end('x')
  }),
  scenario('statusMessage that is invalid', (_, response, kit) => {
    response.statusMessage = 'a\nb'
    kit.note(codeOf(() => response.end('x')))
    response.statusMessage = ''
    response.end('x')
  }),
  scenario('headers beyond ASCII with a string body', (_, response) => {
    response.setHeader('X-Latin', 'caf\xe9')
    // A Buffer, because Node writes the head as UTF-8 together with a string body, which changes the bytes of the header.
    response.end(Buffer.from('x'))
  }),
  ...(['latin1', 'hex', 'base64', 'utf16le', 'ascii', 'utf-8'] as const).map((encoding) =>
    scenario(`encoding ${encoding}`, (_, response) => {
      response.write('c3a9', encoding)
      response.end('c3a9\u00e9'.slice(0, encoding === 'hex' || encoding === 'base64' ? 4 : 5), encoding)
    }),
  ),
  scenario('Uint8Array, and a view into one', (_, response) => {
    response.write(new Uint8Array([1, 2, 3]))
    response.end(new Uint8Array([0, 1, 2, 3, 4]).subarray(2, 4))
  }),
  scenario('a chunk of a wrong type', (_, response, kit) => {
    kit.note(codeOf(() => response.write(5 as never)))
    kit.note(codeOf(() => response.write(null as never)))
    kit.note(codeOf(() => response.end({} as never)))
    response.end()
  }),
  scenario('callbacks of write and end', (_, response, kit) => {
    response.write('one', () => kit.note('one is out'))
    response.write('two', 'utf8', (error) => kit.note(`two is out ${error}`))
    response.on('finish', () => kit.note(`finish ${response.writableFinished} ${response.socket === null}`))
    response.end('three', () => kit.note(`end ${response.writableEnded}`))
    kit.note(`after end ${response.writableEnded} ${response.finished}`)
  }),
  scenario('end with only a callback', (_, response, kit) => void response.end(() => kit.note('end'))),
  scenario('end twice', (_, response, kit) => {
    response.end('x', () => kit.note('first'))
    response.end((error?: NodeJS.ErrnoException) => kit.note(`second ${error?.code}`))
  }),
  scenario('end again when it is finished', (_, response, kit) => {
    response.end('x')
    response.on('finish', () => {
      setImmediate(() => {
        response.end((error?: NodeJS.ErrnoException) => kit.note(`late ${error?.code}`))
      })
    })
  }),
  ...['finish', 'close'].map((event) =>
    scenario(`end again within '${event}'`, (_, response, kit) => {
      response.on('error', (error: NodeJS.ErrnoException) => kit.note(`error ${error.code}`))
      response.on(event, () => {
        response.end((error?: NodeJS.ErrnoException) => kit.note(`again ${error?.code}`))
        response.end('more', (error?: NodeJS.ErrnoException) => kit.note(`more ${error?.code}`))
      })
      response.end('x')
    }),
  ),
  scenario('end, with the state at each step', (_, response, kit) => {
    const note = (step: string): void =>
      kit.note(
        [
          step,
          response.headersSent,
          response.writableEnded,
          response.writableCorked,
          response.destroyed,
        ].join(' '),
      )
    for (const event of ['prefinish', 'finish', 'close']) response.on(event, () => note(event))
    process.nextTick(note, 'tick')
    response.end('whole')
    note('after end')
  }),
  scenario('end while corked', (_, response, kit) => {
    response.cork()
    response.end('whole')
    kit.note(String(response.writableCorked))
  }),
  ...['GET', 'HEAD'].map((method) =>
    scenario(
      `${method}: Uint8Array, string with its encoding, and callback given to end`,
      ({ path }, response, kit) => {
        const done = (): void => kit.note('done')
        if (path === '/array') response.end(new Uint8Array([1, 2, 255]))
        else if (path === '/array-callback') response.end(new Uint8Array([1, 2]), done)
        else if (path === '/utf8') response.end('h\u00e9llo', 'utf8')
        else response.end('h\u00e9llo', 'latin1', done)
      },
      {
        drive: async (client) => [
          await client.fetch({ method, path: '/array' }),
          await client.fetch({ method, path: '/array-callback' }),
          await client.fetch({ method, path: '/utf8' }),
          await client.fetch({ method, path: '/latin1' }),
        ],
      },
    ),
  ),
  ...[200, 204, 304].map((status) =>
    scenario(`writeHead of the app turns a whole response into a ${status}`, (_, response, kit) => {
      const { writeHead } = response
      response.writeHead = ((...args: unknown[]) => {
        kit.note(args.join())
        response.setHeader('X-Late', 'set')
        response.removeHeader('Content-Length')
        return Reflect.apply(writeHead, response, [status])
      }) as typeof writeHead
      response.end('whole')
    }),
  ),
  scenario('writeHead of the app fails once', (_, response, kit) => {
    const { writeHead } = response
    response.writeHead = (): never => {
      response.writeHead = writeHead
      throw new TypeError('not yet')
    }
    kit.note(codeOf(() => response.end('first')))
    kit.note(`${response.headersSent} ${response.writableEnded}`)
    response.end('second one')
  }),
  scenario('writeHead of the app writes before a whole response', (_, response) => {
    const { writeHead } = response
    response.writeHead = ((...args: unknown[]) => {
      response.removeHeader('Content-Length')
      const result = Reflect.apply(writeHead, response, args)
      response.write('early ')
      return result
    }) as typeof writeHead
    response.end('late')
  }),
  scenario('write after end', (_, response, kit) => {
    response.on('error', (error: NodeJS.ErrnoException) => kit.note(`error ${error.code}`))
    response.end('x')
    kit.note(
      String(response.write('y', (error) => kit.note(`callback ${(error as NodeJS.ErrnoException).code}`))),
    )
  }),
  scenario('write after close', (_, response, kit) => {
    response.end('x')
    response.on('close', () => {
      kit.note(
        String(response.write('y', (error) => kit.note(`callback ${(error as NodeJS.ErrnoException).code}`))),
      )
      kit.note([response.destroyed, response.closed, response.writable].join())
    })
  }),
  scenario('cork and uncork', (_, response, kit) => {
    response.cork()
    kit.note(String(response.writableCorked))
    for (let i = 0; i < 10; i++) response.write(String(i))
    response.uncork()
    response.end()
  }),
  scenario(
    'ten thousand small writes',
    (_, response) => {
      for (let i = 0; i < 10_000; i++) response.write(`${i}\n`)
      response.end()
    },
    { trace: 'each' },
  ),
  scenario('one large write', (_, response, kit) => {
    kit.note(String(response.write(Buffer.alloc(500_000, 'x'))))
    kit.note(String(response.writableNeedDrain))
    response.on('drain', () => {
      kit.note(`drained ${response.writableNeedDrain}`)
      response.end('.')
    })
  }),
  scenario('writableLength and the high water mark', (_, response, kit) => {
    kit.note(`${response.writableLength} ${response.writableHighWaterMark} ${response.writableObjectMode}`)
    response.setHeader('Content-Length', 5)
    response.flushHeaders()
    response.write('12345', () => kit.note(`${response.writableLength}`))
    response.end()
  }),
  scenario('a Content-Length of the app', (_, response) => {
    response.setHeader('Content-Length', '4')
    response.write('ab')
    response.end('cd')
  }),
  ...(
    [
      ['a number', 42],
      ['an empty string', ''],
      ['an Error', new Error('broken')],
      ['an object', { toString: () => 'Made Up' }],
      ['an array', ['a', 'b']],
      ['true', true],
      ['null', null],
      ['false', false],
      ['0', 0],
      ['a symbol', Symbol('s')],
      ['text with a line break', 'a\r\nB: c'],
      ['latin1', 'caf\xe9'],
      ['text beyond latin1', '\u20ac'],
      ['the usual one', 'OK'],
    ] as const
  ).flatMap(([what, message]) => [
    scenario(`statusMessage is ${what}`, (_, response, kit) => {
      response.statusMessage = message as string
      kit.note(codeOf(() => response.end(Buffer.from('x'))))
      if (!response.headersSent) {
        response.statusMessage = 'fixed'
        response.end(Buffer.from('y'))
      }
      kit.note(String(response.statusMessage))
    }),
    // Not `''`, which is a documented difference: see the README.
    scenario(`writeHead is given ${what} as the reason`, (_, response, kit) => {
      kit.note(codeOf(() => response.writeHead(201, (message === '' ? undefined : message) as string)))
      kit.note(String(response.statusMessage))
      if (!response.headersSent) response.statusMessage = 'fixed'
      response.end(Buffer.from('x'))
    }),
  ]),
  ...(
    [
      ['text', '201'],
      ['text that is not a number', 'abc'],
      ['a fraction', 201.9],
      ['out of range', 1000],
      ['an object', { valueOf: () => 202 }],
      ['null', null],
      ['an Error', new Error('broken')],
      ['true', true],
      ['a BigInt', 200n],
      ['a symbol', Symbol('s')],
    ] as const
  ).map(([what, status]) =>
    scenario(`statusCode is ${what}`, (_, response, kit) => {
      response.statusCode = status as number
      kit.note(codeOf(() => response.end('x')))
      if (!response.headersSent) {
        response.statusCode = 200
        response.end('y')
      }
      kit.note(typeof response.statusCode)
    }),
  ),
  ...(
    [
      ['an Error', new Error('broken')],
      ['a Date', new Date(0)],
      ['an object', { toString: () => 'made up' }],
      ['a boolean', false],
      ['null', null],
      ['a symbol', Symbol('s')],
      ['mixed', [1, 'two', true, null]],
      ['nested', [[1, 2], ['three']]],
      ['a Set', new Set(['a'])],
      ['no items', []],
    ] as const
  ).flatMap(([what, value]) => [
    scenario(`setHeader is given ${what}`, (_, response, kit) => {
      kit.note(codeOf(() => response.setHeader('X-A', value as unknown as string)))
      kit.note(codeOf(() => response.end('x')))
      if (!response.headersSent) {
        response.removeHeader('X-A')
        response.end('y')
      }
    }),
    scenario(`writeHead is given ${what} for a header`, (_, response, kit) => {
      kit.note(
        codeOf(() => response.writeHead(200, { 'X-A': value as unknown as string, 'Content-Length': 1 })),
      )
      if (!response.headersSent) kit.note('no head')
      response.end('x')
    }),
  ]),
  scenario('more than the Content-Length', (_, response) => {
    response.setHeader('Content-Length', 4)
    response.write('ab')
    response.write('cdef')
    response.end('gh')
  }),
  scenario('more than the Content-Length, at once', (_, response) => {
    response.writeHead(200, { 'Content-Length': '4' }).end('abcdef')
  }),
  scenario('more than a Content-Length of 0', (_, response) => {
    response.writeHead(200, { 'Content-Length': 0 }).end('abcdef')
  }),
  scenario('no automatic Content-Length after a write', (_, response) => {
    response.write('ab')
    response.end()
  }),
  scenario('Content-Length removed', (_, response) => {
    response.removeHeader('Content-Length')
    response.end('ab')
  }),
  scenario('strictContentLength: too much, too little, just right', (_, response, kit) => {
    response.strictContentLength = true
    response.setHeader('Content-Length', 3)
    response.flushHeaders()
    kit.note(codeOf(() => response.write('abcd')))
    response.write('ab')
    kit.note(codeOf(() => response.end('cd')))
    response.end('c')
  }),
  scenario('strictContentLength: the whole body at once', (_, response, kit) => {
    response.strictContentLength = true
    response.setHeader('Content-Length', 3)
    response.flushHeaders()
    kit.note(codeOf(() => response.end('abcd')))
    kit.note(codeOf(() => response.end('ab')))
    response.end('abc')
  }),
  scenario('strictContentLength: the whole body with its head', (_, response, kit) => {
    response.strictContentLength = true
    kit.note(codeOf(() => response.end('abc')))
  }),
  scenario('Transfer-Encoding: chunked of the app', (_, response) => {
    response.setHeader('Transfer-Encoding', 'chunked')
    response.write('one')
    response.end('two')
  }),
  scenario('chunkedEncoding set by the app', (_, response) => {
    response.chunkedEncoding = true
    response.write('one')
    response.end('two')
  }),
  scenario('Transfer-Encoding removed', (_, response) => {
    response.removeHeader('Transfer-Encoding')
    response.write('one')
    response.end()
  }),
  scenario('hop-by-hop headers', (_, response) => {
    response.setHeader('Connection', 'close')
    response.setHeader('Keep-Alive', 'timeout=5')
    response.end('x')
  }),
  scenario('trailers', (_, response) => {
    response.writeHead(200, { Trailer: 'X-Sum', 'Transfer-Encoding': 'chunked' })
    response.write('x')
    response.addTrailers({ 'X-Sum': '1' })
    response.end()
  }),
  scenario('a Trailer header with send', (_, response) => {
    response.setHeader('Trailer', 'X-Sum')
    response.write('x')
    response.end('y')
  }),
  scenario('bad trailers', (_, response, kit) => {
    kit.note(codeOf(() => response.addTrailers({ 'X Y': 'a' })))
    kit.note(codeOf(() => response.addTrailers({ 'X-Y': 'a\nb' })))
    response.end()
  }),
  scenario('writeContinue, writeProcessing, writeEarlyHints', (_, response, kit) => {
    response.writeContinue(() => kit.note('continue'))
    response.writeProcessing()
    response.writeEarlyHints({ link: ['</a.css>; rel=preload'], 'x-trace': 'id' }, () => kit.note('hints'))
    setTimeout(() => response.send('final'), 20)
  }),
  scenario('writeEarlyHints: invalid hints', (_, response, kit) => {
    kit.note(codeOf(() => response.writeEarlyHints({ link: 'not a link' })))
    kit.note(codeOf(() => response.writeEarlyHints('x' as never)))
    response.send('final')
  }),
  scenario('flushHeaders, and the body later', (_, response) => {
    response.type('text')
    response.flushHeaders()
    response.flushHeaders()
    setTimeout(() => response.end('later'), 5)
  }),
  scenario('writeHead, and the end later', (_, response) => {
    response.writeHead(204)
    setImmediate(() => response.end())
  }),
  scenario('etag and freshness', (_, response) => void response.send('hello'), {
    drive: async (client) => {
      const first = await client.get()
      const etag = first.headers.find(([name]) => name === 'etag')![1]
      return [
        first,
        await client.get('/', ['If-None-Match', etag]),
        await client.get('/', ['If-None-Match', '"no"']),
      ]
    },
  }),
  scenario('the Date and Server of the app', (_, response, kit) => {
    response.setHeader('Date', 'Thu, 01 Jan 1970 00:00:00 GMT')
    response.setHeader('Server', 'mine')
    kit.note(String(response.getHeader('date')))
    response.end()
  }),
  scenario('locals, req.res and res.req', (request, response) => {
    response.locals.a = 1
    response.send(
      [request.res === response, response.req === request, response.app === request.app, response.locals]
        .map(String)
        .join(),
    )
  }),
  scenario(
    'a response in a later turn of the event loop',
    (_, response) => void setTimeout(() => response.json({ late: true }), 5),
  ),
]
