import type { Request, Response } from 'express'
import type { Kit, Scenario } from '../differential.ts'

type Listener = (request: Request, response: Response, kit: Kit) => void

function answer(name: string, listener: Listener, more: Partial<Scenario> = {}): Scenario {
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

/** What apps answer, and what becomes of it. */
export const responseScenarios: readonly Scenario[] = [
  answer('send: string', (_, response) => void response.send('<p>h\u00e9llo</p>')),
  answer('send: long string', (_, response) => void response.send('\u20ac'.repeat(40_000))),
  answer('send: Buffer', (_, response) => void response.send(Buffer.from([0, 255, 10]))),
  answer('send: object', (_, response) => void response.send({ a: 1 })),
  answer('send: null', (_, response) => void response.send(null)),
  answer('send: nothing', (_, response) => void response.send()),
  answer('send: boolean', (_, response) => void response.send(true)),
  answer(
    'json, jsonp, and a set type',
    (_, response) => void response.type('application/problem+json').json({ a: '\u2028' }),
  ),
  answer('jsonp with a callback', (_, response) => void response.jsonp({ a: 1 }), {
    drive: (client) => client.get('/?callback=cb'),
  }),
  answer('sendStatus', (_, response) => void response.sendStatus(403)),
  answer(
    'format',
    (_, response) =>
      void response.format({ html: () => void response.send('<b>'), json: () => void response.json({}) }),
    {
      drive: (client) => client.get('/', ['Accept', 'application/json']),
    },
  ),
  ...statuses.flatMap((status) => [
    answer(`status ${status} with send`, (_, response) => void response.status(status).send('body')),
    answer(`status ${status} with end`, (_, response) => {
      response.statusCode = status
      response.end(status === 205 ? undefined : 'body')
    }),
  ]),
  ...['GET', 'HEAD'].map((method) =>
    answer(
      `${method}: write and end`,
      (_, response) => {
        response.write('one')
        response.write('two')
        response.end('three')
      },
      { drive: (client) => client.fetch({ method }) },
    ),
  ),
  answer('HEAD: end with a body', (_, response) => void response.end('body'), {
    drive: (client) => client.fetch({ method: 'HEAD' }),
  }),
  answer('end without a body', (_, response) => void response.end()),
  answer('end with an empty body', (_, response) => void response.end('')),
  answer('redirect', (_, response) => response.redirect('/there?a=\u00e9')),
  answer('redirect to another site, with 307', (_, response) =>
    response.redirect(307, 'https://example.org/x'),
  ),
  answer(
    'location and links',
    (_, response) => void response.location('../up').links({ next: 'http://example.test/2' }).end(),
  ),
  answer('several cookies', (_, response) => {
    response.cookie('a', '1', { httpOnly: true, path: '/x' })
    response.cookie('b', '\u00e9 ;', { sameSite: 'strict', secure: true })
    response.clearCookie('c')
    response.end()
  }),
  answer('append and vary', (_, response) => {
    response
      .append('X-A', '1')
      .append('X-A', ['2', '3'])
      .vary('Accept')
      .vary('Origin')
      .append('Warning', '199 x')
      .end()
  }),
  answer(
    'attachment with a name beyond latin1',
    (_, response) => void response.attachment('\u20ac.txt').send('x'),
  ),
  answer('setHeader: arrays, numbers, appendHeader', (_, response, kit) => {
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
  answer('setHeaders with Headers and with a Map', (_, response) => {
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
  answer('writeHead: object', (_, response) => {
    response.removeHeader('X-Powered-By')
    response.writeHead(201, { 'X-A': ['1', '2'], 'Content-Type': 'text/plain' }).end('x')
  }),
  answer('writeHead: flat list with repeats', (_, response) => {
    response.removeHeader('X-Powered-By')
    response.writeHead(200, ['X-A', '1', 'X-A', '2', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'])
    response.end('x')
  }),
  answer('writeHead: over set headers', (_, response) => {
    response.setHeader('X-A', 'set')
    response.setHeader('X-B', 'set')
    response.writeHead(200, 'Fine', { 'X-A': 'head' })
    response.end('x')
  }),
  answer('writeHead: bad headers', (_, response, kit) => {
    response.removeHeader('X-Powered-By')
    for (const headers of [{ 'X A': 'x' }, { 'X-A': 'a\nb' }, { 'X-A': '\u20ac' }, { 'X-A': undefined }]) {
      kit.note(codeOf(() => response.writeHead(200, headers as never)))
    }
    kit.note(codeOf(() => response.writeHead(200, ['X-A'])))
    kit.note(String(response.headersSent))
    response.end('still fine')
  }),
  answer('writeHead: bad status', (_, response, kit) => {
    for (const status of [0, 99, 1000, 'x', undefined])
      kit.note(codeOf(() => response.writeHead(status as number)))
    response.end('still fine')
  }),
  answer('writeHead twice, and setHeader behind it', (_, response, kit) => {
    response.writeHead(200)
    kit.note(codeOf(() => response.writeHead(404)))
    kit.note(codeOf(() => response.setHeader('X-A', '1')))
    kit.note(codeOf(() => response.removeHeader('X-A')))
    kit.note(`${response.headersSent} ${response.statusCode}`)
    response.end('x')
  }),
  answer('setHeader: bad names and values', (_, response, kit) => {
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
  answer('statusMessage', (_, response) => {
    response.statusCode = 404
    response.statusMessage = 'Nothing here'
    response.end('x')
  }),
  answer('statusMessage that is none', (_, response, kit) => {
    response.statusMessage = 'a\nb'
    kit.note(codeOf(() => response.end('x')))
    response.statusMessage = ''
    response.end('x')
  }),
  answer('headers beyond ASCII with a string body', (_, response) => {
    response.setHeader('X-Latin', 'caf\xe9')
    // As a Buffer: of a string body Node writes head and body as UTF-8 together, and the header is no longer what was set.
    response.end(Buffer.from('x'))
  }),
  ...(['latin1', 'hex', 'base64', 'utf16le', 'ascii', 'utf-8'] as const).map((encoding) =>
    answer(`encoding ${encoding}`, (_, response) => {
      response.write('c3a9', encoding)
      response.end('c3a9\u00e9'.slice(0, encoding === 'hex' || encoding === 'base64' ? 4 : 5), encoding)
    }),
  ),
  answer('Uint8Array, and a view into one', (_, response) => {
    response.write(new Uint8Array([1, 2, 3]))
    response.end(new Uint8Array([0, 1, 2, 3, 4]).subarray(2, 4))
  }),
  answer('a chunk that is none', (_, response, kit) => {
    kit.note(codeOf(() => response.write(5 as never)))
    kit.note(codeOf(() => response.write(null as never)))
    kit.note(codeOf(() => response.end({} as never)))
    response.end()
  }),
  answer('callbacks of write and end', (_, response, kit) => {
    response.write('one', () => kit.note('one is out'))
    response.write('two', 'utf8', (error) => kit.note(`two is out ${error}`))
    response.on('finish', () => kit.note(`finish ${response.writableFinished} ${response.socket === null}`))
    response.end('three', () => kit.note(`end ${response.writableEnded}`))
    kit.note(`after end ${response.writableEnded} ${response.finished}`)
  }),
  answer('end with only a callback', (_, response, kit) => void response.end(() => kit.note('end'))),
  answer('end twice', (_, response, kit) => {
    response.end('x', () => kit.note('first'))
    response.end((error?: NodeJS.ErrnoException) => kit.note(`second ${error?.code}`))
  }),
  answer('end again when it is finished', (_, response, kit) => {
    response.end('x')
    response.on('finish', () => {
      setImmediate(() => {
        response.end((error?: NodeJS.ErrnoException) => kit.note(`late ${error?.code}`))
      })
    })
  }),
  ...['finish', 'close'].map((event) =>
    answer(`end again within '${event}'`, (_, response, kit) => {
      response.on('error', (error: NodeJS.ErrnoException) => kit.note(`error ${error.code}`))
      response.on(event, () => {
        response.end((error?: NodeJS.ErrnoException) => kit.note(`again ${error?.code}`))
        response.end('more', (error?: NodeJS.ErrnoException) => kit.note(`more ${error?.code}`))
      })
      response.end('x')
    }),
  ),
  answer('end, with the state at each step', (_, response, kit) => {
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
  answer('end of what is corked', (_, response, kit) => {
    response.cork()
    response.end('whole')
    kit.note(String(response.writableCorked))
  }),
  ...['GET', 'HEAD'].map((method) =>
    answer(
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
    answer(`writeHead of the app makes a ${status} of what is ended whole`, (_, response, kit) => {
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
  answer('writeHead of the app fails once', (_, response, kit) => {
    const { writeHead } = response
    response.writeHead = (): never => {
      response.writeHead = writeHead
      throw new TypeError('not yet')
    }
    kit.note(codeOf(() => response.end('first')))
    kit.note(`${response.headersSent} ${response.writableEnded}`)
    response.end('second one')
  }),
  answer('writeHead of the app writes in front of what is ended whole', (_, response) => {
    const { writeHead } = response
    response.writeHead = ((...args: unknown[]) => {
      response.removeHeader('Content-Length')
      const result = Reflect.apply(writeHead, response, args)
      response.write('early ')
      return result
    }) as typeof writeHead
    response.end('late')
  }),
  answer('write after end', (_, response, kit) => {
    response.on('error', (error: NodeJS.ErrnoException) => kit.note(`error ${error.code}`))
    response.end('x')
    kit.note(
      String(response.write('y', (error) => kit.note(`callback ${(error as NodeJS.ErrnoException).code}`))),
    )
  }),
  answer('write when it is closed', (_, response, kit) => {
    response.end('x')
    response.on('close', () => {
      kit.note(
        String(response.write('y', (error) => kit.note(`callback ${(error as NodeJS.ErrnoException).code}`))),
      )
      kit.note([response.destroyed, response.closed, response.writable].join())
    })
  }),
  answer('cork and uncork', (_, response, kit) => {
    response.cork()
    kit.note(String(response.writableCorked))
    for (let i = 0; i < 10; i++) response.write(String(i))
    response.uncork()
    response.end()
  }),
  answer(
    'ten thousand small writes',
    (_, response) => {
      for (let i = 0; i < 10_000; i++) response.write(`${i}\n`)
      response.end()
    },
    { trace: 'each' },
  ),
  answer('one large write', (_, response, kit) => {
    kit.note(String(response.write(Buffer.alloc(500_000, 'x'))))
    kit.note(String(response.writableNeedDrain))
    response.on('drain', () => {
      kit.note(`drained ${response.writableNeedDrain}`)
      response.end('.')
    })
  }),
  answer('writableLength and the high water mark', (_, response, kit) => {
    kit.note(`${response.writableLength} ${response.writableHighWaterMark} ${response.writableObjectMode}`)
    response.setHeader('Content-Length', 5)
    response.flushHeaders()
    response.write('12345', () => kit.note(`${response.writableLength}`))
    response.end()
  }),
  answer('a Content-Length of the app', (_, response) => {
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
    answer(`statusMessage is ${what}`, (_, response, kit) => {
      response.statusMessage = message as string
      kit.note(codeOf(() => response.end(Buffer.from('x'))))
      if (!response.headersSent) {
        response.statusMessage = 'mended'
        response.end(Buffer.from('y'))
      }
      kit.note(String(response.statusMessage))
    }),
    // Apart from `''`: see the README.
    answer(`writeHead is given ${what} as the reason`, (_, response, kit) => {
      kit.note(codeOf(() => response.writeHead(201, (message === '' ? undefined : message) as string)))
      kit.note(String(response.statusMessage))
      if (!response.headersSent) response.statusMessage = 'mended'
      response.end(Buffer.from('x'))
    }),
  ]),
  ...(
    [
      ['text', '201'],
      ['text that is no number', 'abc'],
      ['a fraction', 201.9],
      ['beyond', 1000],
      ['an object', { valueOf: () => 202 }],
      ['null', null],
      ['an Error', new Error('broken')],
      ['true', true],
      ['a BigInt', 200n],
      ['a symbol', Symbol('s')],
    ] as const
  ).map(([what, status]) =>
    answer(`statusCode is ${what}`, (_, response, kit) => {
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
    answer(`setHeader is given ${what}`, (_, response, kit) => {
      kit.note(codeOf(() => response.setHeader('X-A', value as unknown as string)))
      kit.note(codeOf(() => response.end('x')))
      if (!response.headersSent) {
        response.removeHeader('X-A')
        response.end('y')
      }
    }),
    answer(`writeHead is given ${what} for a header`, (_, response, kit) => {
      kit.note(
        codeOf(() => response.writeHead(200, { 'X-A': value as unknown as string, 'Content-Length': 1 })),
      )
      if (!response.headersSent) kit.note('no head')
      response.end('x')
    }),
  ]),
  answer('more than the Content-Length', (_, response) => {
    response.setHeader('Content-Length', 4)
    response.write('ab')
    response.write('cdef')
    response.end('gh')
  }),
  answer('more than the Content-Length, at once', (_, response) => {
    response.writeHead(200, { 'Content-Length': '4' }).end('abcdef')
  }),
  answer('more than a Content-Length of 0', (_, response) => {
    response.writeHead(200, { 'Content-Length': 0 }).end('abcdef')
  }),
  answer('no automatic Content-Length for what was written', (_, response) => {
    response.write('ab')
    response.end()
  }),
  answer('Content-Length removed', (_, response) => {
    response.removeHeader('Content-Length')
    response.end('ab')
  }),
  answer('strictContentLength: too much, too little, just right', (_, response, kit) => {
    response.strictContentLength = true
    response.setHeader('Content-Length', 3)
    response.flushHeaders()
    kit.note(codeOf(() => response.write('abcd')))
    response.write('ab')
    kit.note(codeOf(() => response.end('cd')))
    response.end('c')
  }),
  answer('strictContentLength: the whole body at once', (_, response, kit) => {
    response.strictContentLength = true
    response.setHeader('Content-Length', 3)
    response.flushHeaders()
    kit.note(codeOf(() => response.end('abcd')))
    kit.note(codeOf(() => response.end('ab')))
    response.end('abc')
  }),
  answer('strictContentLength: the whole body with its head', (_, response, kit) => {
    response.strictContentLength = true
    kit.note(codeOf(() => response.end('abc')))
  }),
  answer('Transfer-Encoding: chunked of the app', (_, response) => {
    response.setHeader('Transfer-Encoding', 'chunked')
    response.write('one')
    response.end('two')
  }),
  answer('chunkedEncoding set by the app', (_, response) => {
    response.chunkedEncoding = true
    response.write('one')
    response.end('two')
  }),
  answer('Transfer-Encoding removed', (_, response) => {
    response.removeHeader('Transfer-Encoding')
    response.write('one')
    response.end()
  }),
  answer('hop-by-hop headers', (_, response) => {
    response.setHeader('Connection', 'close')
    response.setHeader('Keep-Alive', 'timeout=5')
    response.end('x')
  }),
  answer('trailers', (_, response) => {
    response.writeHead(200, { Trailer: 'X-Sum', 'Transfer-Encoding': 'chunked' })
    response.write('x')
    response.addTrailers({ 'X-Sum': '1' })
    response.end()
  }),
  answer('a Trailer header with send', (_, response) => {
    response.setHeader('Trailer', 'X-Sum')
    response.write('x')
    response.end('y')
  }),
  answer('bad trailers', (_, response, kit) => {
    kit.note(codeOf(() => response.addTrailers({ 'X Y': 'a' })))
    kit.note(codeOf(() => response.addTrailers({ 'X-Y': 'a\nb' })))
    response.end()
  }),
  answer('writeContinue, writeProcessing, writeEarlyHints', (_, response, kit) => {
    response.writeContinue(() => kit.note('continue'))
    response.writeProcessing()
    response.writeEarlyHints({ link: ['</a.css>; rel=preload'], 'x-trace': 'id' }, () => kit.note('hints'))
    setTimeout(() => response.send('final'), 20)
  }),
  answer('writeEarlyHints: a bad one', (_, response, kit) => {
    kit.note(codeOf(() => response.writeEarlyHints({ link: 'not a link' })))
    kit.note(codeOf(() => response.writeEarlyHints('x' as never)))
    response.send('final')
  }),
  answer('flushHeaders, and the body later', (_, response) => {
    response.type('text')
    response.flushHeaders()
    response.flushHeaders()
    setTimeout(() => response.end('later'), 5)
  }),
  answer('writeHead, and the end later', (_, response) => {
    response.writeHead(204)
    setImmediate(() => response.end())
  }),
  answer('etag and freshness', (_, response) => void response.send('hello'), {
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
  answer('the Date and Server of the app', (_, response, kit) => {
    response.setHeader('Date', 'Thu, 01 Jan 1970 00:00:00 GMT')
    response.setHeader('Server', 'mine')
    kit.note(String(response.getHeader('date')))
    response.end()
  }),
  answer('locals, req.res and res.req', (request, response) => {
    response.locals.a = 1
    response.send(
      [request.res === response, response.req === request, response.app === request.app, response.locals]
        .map(String)
        .join(),
    )
  }),
  answer(
    'an answer in a later turn',
    (_, response) => void setTimeout(() => response.json({ late: true }), 5),
  ),
]
