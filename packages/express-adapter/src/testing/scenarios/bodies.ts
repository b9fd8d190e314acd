import { createHash } from 'node:crypto'
import { PassThrough, pipeline, Transform } from 'node:stream'
import { gzipSync } from 'node:zlib'
import type { NextFunction, Request, Response } from 'express'
import multer from 'multer'
import type { Kit, Scenario } from '../differential.ts'

const JSON_TYPE = ['Content-Type', 'application/json']
const FORM_TYPE = ['Content-Type', 'application/x-www-form-urlencoded']

function echoBody(request: Request, response: Response): void {
  const { body } = request
  response.json(Buffer.isBuffer(body) ? { hex: body.toString('hex') } : { body })
}

// The error handler of a JSON API.
function showError(error: Record<string, unknown>, _: Request, response: Response, next: NextFunction): void {
  if (response.headersSent) {
    next(error)
    return
  }
  const { name, message, status, type, code } = error
  response
    .status((status as number | undefined) ?? 500)
    .json({ name, message: String(message), status, type, code })
}

const megabyte = Buffer.alloc(1024 * 1024, 'abcdefg')

function multipart(parts: readonly string[]): { body: string; headers: string[] } {
  return {
    body: `${parts.map((part) => `--limit\r\nContent-Disposition: form-data; ${part}\r\n`).join('')}--limit--\r\n`,
    headers: ['Content-Type', 'multipart/form-data; boundary=limit'],
  }
}

const upload = multipart([
  'name="title"\r\n\r\nHoliday',
  'name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nfirst',
  `name="file"; filename="b.bin"\r\nContent-Type: application/octet-stream\r\n\r\n${'x'.repeat(100_000)}`,
])

/** Ways in which apps and middleware read request bodies. */
export const bodyScenarios: readonly Scenario[] = [
  {
    name: 'one call of read() after the body has arrived reads it and ends the request',
    app: (app) =>
      app.use((request: Request, response: Response) => {
        setTimeout(() => {
          request.once('end', () => response.end(`${length}, ended`))
          const length = (request.read() as Buffer | null)?.length
          setTimeout(() => response.end(`${length}, not ended`), 50)
        }, 20)
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(1000) }),
  },
  {
    name: 'express.json',
    app: (app, { express }) => app.use(express.json(), echoBody),
    drive: (client) => client.fetch({ method: 'POST', headers: JSON_TYPE, body: '{"a":[1,"\u00fc"]}' }),
  },
  {
    name: 'express.json: of unknown length, in pieces',
    app: (app, { express }) => app.use(express.json(), echoBody),
    drive: async (client) => {
      const exchange = client.send({ method: 'POST', headers: JSON_TYPE, streamed: true })
      exchange.write('{"a"')
      exchange.write(':1')
      exchange.write('}')
      exchange.end()
      const { status, body } = await exchange.response
      return [status, body.toString()]
    },
  },
  {
    name: 'express.json: not JSON',
    app: (app, { express }) => app.use(express.json(), echoBody, showError),
    drive: (client) => client.fetch({ method: 'POST', headers: JSON_TYPE, body: '{"a":' }),
  },
  {
    name: 'express.json: over the limit',
    app: (app, { express }) => app.use(express.json({ limit: 10 }), echoBody, showError),
    drive: (client) => client.fetch({ method: 'POST', headers: JSON_TYPE, body: '{"a":"0123456789"}' }),
  },
  {
    name: 'express.json: over the limit, of unknown length',
    app: (app, { express }) => app.use(express.json({ limit: 10 }), echoBody, showError),
    drive: async (client) => {
      const exchange = client.send({ method: 'POST', headers: JSON_TYPE, streamed: true })
      exchange.write('{"a":"0123456789"}')
      exchange.end()
      const { status, body } = await exchange.response
      return [status, body.toString()]
    },
  },
  {
    name: 'express.json: over the limit, with the error response of Express',
    app: (app, { express }) => app.use(express.json({ limit: 10 }), echoBody),
    drive: (client) => client.fetch({ method: 'POST', headers: JSON_TYPE, body: '{"a":"0123456789"}' }),
    trace: 'each',
  },
  {
    name: 'express.json: compressed',
    app: (app, { express }) => app.use(express.json(), echoBody),
    drive: (client) =>
      client.fetch({
        method: 'POST',
        headers: [...JSON_TYPE, 'Content-Encoding', 'gzip'],
        body: gzipSync('{"a":1}'),
      }),
  },
  {
    name: 'express.json: another charset, and an unknown one',
    app: (app, { express }) => app.use(express.json(), echoBody, showError),
    drive: (client) =>
      Promise.all([
        client.fetch({
          method: 'POST',
          headers: ['Content-Type', 'application/json; charset=utf-16'],
          body: Buffer.from('\ufeff{"a":1}', 'utf16le'),
        }),
        client.fetch({
          method: 'POST',
          headers: ['Content-Type', 'application/json; charset=x-none'],
          body: '{}',
        }),
      ]),
    trace: 'none',
  },
  {
    name: 'express.json: an empty body, and no body',
    app: (app, { express }) => app.use(express.json(), echoBody),
    drive: async (client) => [
      await client.fetch({ method: 'POST', headers: JSON_TYPE, body: '' }),
      await client.fetch({ method: 'POST', headers: JSON_TYPE }),
      await client.fetch({ method: 'GET', headers: JSON_TYPE }),
    ],
  },
  {
    name: 'express.json: a body that its verify function refuses',
    app: (app, { express }) =>
      app.use(
        express.json({
          verify: (_request, _response, bytes) => {
            if (bytes.length > 2) throw new Error('no')
          },
        }),
        echoBody,
        showError,
      ),
    drive: (client) => client.fetch({ method: 'POST', headers: JSON_TYPE, body: '{"a":1}' }),
  },
  {
    name: 'express.urlencoded',
    app: (app, { express }) => app.use(express.urlencoded({ extended: true }), echoBody),
    drive: (client) =>
      client.fetch({ method: 'POST', headers: FORM_TYPE, body: 'a=1&b%5Bc%5D=2&d=%C3%A9&a=3' }),
  },
  {
    name: 'express.text',
    app: (app, { express }) => app.use(express.text(), echoBody),
    drive: (client) =>
      client.fetch({
        method: 'POST',
        headers: ['Content-Type', 'text/plain; charset=utf-8'],
        body: 'na\u00efve',
      }),
  },
  {
    name: 'express.raw',
    app: (app, { express }) => app.use(express.raw(), echoBody),
    drive: (client) =>
      client.fetch({
        method: 'POST',
        headers: ['Content-Type', 'application/octet-stream'],
        body: Buffer.from([0, 1, 254, 255, 13, 10]),
      }),
  },
  {
    name: 'express.raw: a megabyte',
    app: (app, { express }) =>
      app.use(express.raw({ limit: '2mb', type: '*/*' }), (request, response) => {
        response.send(createHash('sha256').update(request.body).digest('hex'))
      }),
    drive: (client) =>
      client.fetch({ method: 'PUT', headers: ['Content-Type', 'application/x-any'], body: megabyte }),
  },
  {
    name: 'multer: files and fields',
    app: (app) => {
      app.post('/', multer().any(), (request, response) => {
        const files = request.files as Express.Multer.File[]
        response.json([
          request.body,
          files.map(({ fieldname, originalname, mimetype, size }) => [
            fieldname,
            originalname,
            mimetype,
            size,
          ]),
        ])
      })
    },
    drive: (client) => client.fetch({ method: 'POST', ...upload }),
  },
  {
    name: 'multer: a file that is too large',
    app: (app) => {
      app.post('/', multer({ limits: { fileSize: 1000 } }).any(), echoBody)
      app.use(showError)
    },
    drive: (client) => client.fetch({ method: 'POST', ...upload }),
    trace: 'each',
  },
  {
    name: 'multer: a body that ends in the middle',
    app: (app) => {
      app.post('/', multer().any(), echoBody)
      app.use(showError)
    },
    drive: (client) =>
      client.fetch({ method: 'POST', headers: upload.headers, body: upload.body.slice(0, 500) }),
    trace: 'each',
  },
  {
    name: "read with 'data' and 'end'",
    app: (app, kit) =>
      app.use((request, response) => {
        let length = 0
        request.on('data', (chunk: Buffer) => {
          length += chunk.length
        })
        request.on('end', () => {
          kit.note(`complete ${request.complete}`)
          response.end(String(length))
        })
      }),
    drive: (client) => client.fetch({ method: 'POST', body: megabyte }),
  },
  {
    name: "read with 'readable'",
    app: (app) =>
      app.use((request, response) => {
        const hash = createHash('sha256')
        request.on('readable', () => {
          for (let chunk = request.read(); chunk !== null; chunk = request.read()) hash.update(chunk)
        })
        request.on('end', () => response.end(hash.digest('hex')))
      }),
    drive: (client) => client.fetch({ method: 'POST', body: megabyte }),
  },
  {
    name: 'read as an async iterable',
    app: (app) =>
      app.use(async (request, response) => {
        const hash = createHash('sha256')
        for await (const chunk of request) hash.update(chunk as Buffer)
        response.end(hash.digest('hex'))
      }),
    drive: (client) => client.fetch({ method: 'POST', body: megabyte }),
  },
  {
    name: 'read as text, in an encoding',
    app: (app) =>
      app.use((request, response) => {
        let text = ''
        request.setEncoding('utf8')
        request.on('data', (chunk: string) => {
          text += chunk
        })
        request.on('end', () => response.send(text.slice(-3)))
      }),
    drive: (client) => client.fetch({ method: 'POST', body: '\u20ac'.repeat(30_000) }),
  },
  {
    name: 'read after a pause',
    app: (app) =>
      app.use((request, response) => {
        request.pause()
        setImmediate(() => {
          const body = new PassThrough()
          request.pipe(body)
          body.resume().on('end', () => response.send('read'))
        })
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(1000) }),
  },
  {
    name: 'paused in the middle, and resumed',
    app: (app, kit) =>
      app.use((request, response) => {
        let pieces = 0
        request.on('data', () => {
          if (pieces++ === 0) {
            request.pause()
            kit.gate('more').open()
            setTimeout(() => request.resume(), 5)
          }
        })
        request.on('end', () => response.send('read'))
      }),
    drive: async (client, kit) => {
      const exchange = client.send({ method: 'POST', streamed: true })
      exchange.write('first')
      await kit.gate('more').opened
      exchange.write(megabyte)
      exchange.end()
      return (await exchange.response).body.toString()
    },
  },
  {
    name: 'piped into the response',
    app: (app) => app.use((request, response) => void request.pipe(response)),
    drive: (client) => client.fetch({ method: 'POST', body: megabyte.subarray(0, 300_000) }),
    trace: 'each',
  },
  {
    name: 'pipeline into the response',
    app: (app, kit) =>
      app.use((request, response) => {
        pipeline(request, response, (error) => kit.note(`done ${error?.message}`))
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'through' }),
    trace: 'each',
  },
  {
    name: 'echoed piece by piece while it arrives',
    app: (app) =>
      app.use((request, response) => {
        request.on('data', (chunk: Buffer) => response.write(`[${chunk}]`))
        request.on('end', () => response.end())
      }),
    drive: async (client) => {
      const exchange = client.send({ method: 'POST', streamed: true })
      for (const piece of ['one', 'two', 'three']) {
        exchange.write(piece)
        await exchange.received(`[${piece}]`)
      }
      exchange.end()
      return (await exchange.response).body.toString()
    },
  },
  {
    name: 'small, and not read',
    app: (app) => app.use((_, response) => void response.send('no')),
    drive: (client) => client.fetch({ method: 'POST', body: 'unread' }),
  },
  {
    name: 'small, and read only in part',
    app: (app) =>
      app.use((request, response) => {
        request.once('readable', () => {
          request.read(2)
          response.send('enough')
        })
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'unread' }),
    requestStaysOpen: true,
  },
  {
    name: 'read after the response was sent',
    app: (app, kit) =>
      app.use((request, response) => {
        let length = 0
        request.on('data', (chunk: Buffer) => {
          length += chunk.length
        })
        request.on('end', () => kit.note(`read ${length}`))
        response.send('at once')
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(1000) }),
    trace: 'each',
  },
  ...[10, 100_000].flatMap((length): Scenario[] => {
    const drive: Scenario['drive'] = (client) => client.fetch({ method: 'POST', body: 'x'.repeat(length) })
    const failing = (kit: Kit): Transform =>
      new Transform({
        transform(_chunk, _encoding, callback) {
          kit.note('refused')
          callback(new Error('too large'))
        },
      })
    return [
      {
        name: `pipeline of ${length} bytes that fails, and a 413 of the app`,
        app: (app, kit) =>
          app.use((request, response) => {
            pipeline(request, failing(kit), (error) => {
              kit.note(
                `${error?.message} ${request.destroyed} ${(request as { socket: unknown }).socket === null}`,
              )
              response.status(413).end('too large')
            })
          }),
        drive,
        trace: 'each',
      },
      {
        name: `pipeline of ${length} bytes that fails, and a 413 later`,
        app: (app, kit) =>
          app.use((request, response) => {
            request.on('error', (error) => kit.note(`error ${error.message}`))
            pipeline(request, failing(kit), () => {
              setImmediate(() => response.status(413).end('too large'))
            })
          }),
        drive,
        trace: 'each',
      },
      {
        name: `pipeline of ${length} bytes that fails in express's error handler`,
        app: (app, kit) => {
          app.use((request, _, next) => {
            pipeline(request, failing(kit), (error) =>
              next(Object.assign(error!, { status: 413, expose: true })),
            )
          })
        },
        drive,
        trace: 'none',
      },
      {
        name: `pipeline of ${length} bytes that fails after the response`,
        app: (app, kit) =>
          app.use((request, response) => {
            pipeline(request, failing(kit), (error) => kit.note(String(error?.message)))
            response.end('early')
          }),
        drive,
        trace: 'none',
      },
    ]
  }),
  ...(['readable', 'data', 'iterated', 'piped'] as const).flatMap((how): Scenario[] => {
    const read = (request: Request, kit: Kit): void => {
      let length = 0
      if (how === 'readable') {
        request.on('readable', () => {
          for (let chunk = request.read(); chunk !== null; chunk = request.read()) length += chunk.length
        })
        request.on('end', () => kit.note(`read ${length}`))
      } else if (how === 'data') {
        request.on('data', (chunk: Buffer) => {
          length += chunk.length
        })
        request.on('end', () => kit.note(`read ${length}`))
      } else if (how === 'piped') {
        pipeline(request, new PassThrough().resume(), (error) => kit.note(`piped ${error?.message}`))
      } else {
        void (async () => {
          try {
            for await (const chunk of request) length += chunk.length
            kit.note(`read ${length}`)
          } catch (error) {
            kit.note(`failed ${(error as Error).message}`)
          }
        })()
      }
    }
    const drive: Scenario['drive'] = (client) => client.fetch({ method: 'POST', body: 'x'.repeat(1000) })
    return [
      {
        name: `read only after the end(), ${how}`,
        app: (app, kit) =>
          app.use((request, response) => {
            response.end('early')
            read(request, kit)
          }),
        drive,
        trace: 'each',
      },
      {
        name: `read only on 'finish', ${how}`,
        app: (app, kit) =>
          app.use((request, response) => {
            response.on('finish', () => read(request, kit))
            response.end('early')
          }),
        drive,
        trace: 'each',
      },
      {
        name: `read only on a tick after the end(), ${how}`,
        app: (app, kit) =>
          app.use((request, response) => {
            response.end('early')
            process.nextTick(() => read(request, kit))
          }),
        drive,
        trace: 'each',
      },
      {
        name: `read only on 'close' of the response, ${how}`,
        app: (app, kit) =>
          app.use((request, response) => {
            response.on('close', () => read(request, kit))
            response.end('early')
          }),
        drive,
        trace: 'each',
      },
      {
        name: `read only after 'close' of the request, ${how}`,
        app: (app, kit) =>
          app.use((request, response) => {
            request.on('close', () => {
              setImmediate(() => {
                read(request, kit)
                setImmediate(() => setImmediate(() => kit.gate('over').open()))
              })
            })
            response.end('early')
          }),
        drive: async (client, kit) => {
          const response = await client.fetch({ method: 'POST', body: 'x'.repeat(1000) })
          await kit.gate('over').opened
          return response
        },
        trace: 'each',
      },
    ]
  }),
  {
    name: 'iterated from within the listener, while the response ends at once',
    app: (app, kit) =>
      app.use((request, response) => {
        void (async () => {
          let length = 0
          for await (const chunk of request) length += chunk.length
          kit.note(`read ${length}`)
        })()
        response.end('early')
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(1000) }),
  },
  {
    name: 'read within the listener: nothing has reached the request',
    app: (app, kit) =>
      app.use((request, response) => {
        kit.note(String(request.read()))
        request.on('end', () => response.end('read')).resume()
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(1000) }),
  },
  {
    name: 'without a body, paused, and ended by read(0)',
    app: (app, kit) =>
      app.use((request, response) => {
        request.pause().on('end', () => {
          kit.note('ended')
          response.end('x')
        })
        setImmediate(() => request.read(0))
      }),
  },
  {
    name: 'promises that a piece starts settle before the end',
    app: (app, kit) =>
      app.use((request, response) => {
        request.on('data', async () => {
          for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => process.nextTick(resolve))
          kit.note('after the piece')
        })
        setImmediate(() => kit.note('immediate'))
        request.on('end', () => response.end('x'))
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(1000) }),
  },
  {
    name: 'not read, and the response ends later: the end comes before ticks that a listener of the response starts',
    app: (app, kit) =>
      app.use((_, response) => {
        response.on('close', () => process.nextTick(() => kit.note('tick')))
        setTimeout(() => response.end('late'), 20)
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(10) }),
  },
  {
    name: 'read() on a tick returns the body, and does not end the request',
    app: (app, kit) =>
      app.use((request, response) => {
        process.nextTick(() => kit.note(`${request.read()}`))
        setTimeout(() => {
          kit.note(`${request.readableEnded}`)
          request.on('end', () => response.end('x')).resume()
        }, 20)
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'body' }),
  },
  {
    name: 'read() in the listener, and a listener of data on a tick: promises settle before the end',
    app: (app, kit) =>
      app.use((request, response) => {
        request.read(5)
        process.nextTick(() => request.on('data', () => kit.note('data')))
        void Promise.resolve().then(() => kit.note('microtask'))
        request.on('end', () => response.end('x'))
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(1000) }),
  },
  {
    name: 'paused, and read() later: one call reads the body and ends the request',
    app: (app, kit) =>
      app.use((request, response) => {
        request.pause().on('end', () => response.end('x'))
        setImmediate(() => kit.note(`${request.read()}`))
        setTimeout(() => response.end('not ended'), 50)
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'body' }),
  },
  {
    name: 'read late: the end comes before ticks that the last piece starts',
    app: (app, kit) =>
      app.use((request, response) => {
        setTimeout(() => {
          request.on('data', () => process.nextTick(() => process.nextTick(() => kit.note('ticks'))))
          request.on('end', () => response.end('x'))
        }, 20)
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(10) }),
  },
  {
    name: 'a pipeline that begins late and fails at the last piece',
    app: (app, kit) =>
      app.use((request, response) => {
        setTimeout(() => {
          const refuse = new Transform({ transform: (_chunk, _encoding, done) => done(new Error('refused')) })
          pipeline(request, refuse, (error) => {
            kit.note(String(error))
            response.end('x')
          })
        }, 20)
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(1000) }),
  },
  {
    name: 'not read, and the socket times out: the request has no time-out',
    app: (app, kit) =>
      app.use((request, response) => {
        request.on('timeout', () => kit.note('the request'))
        response.on('timeout', () => {
          kit.note('the response')
          response.end('x')
        })
        response.setTimeout(20)
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(10) }),
  },
  {
    name: 'destroyed when the response has been sent: the request ends',
    app: (app) =>
      app.use((request, response) => {
        request.once('data', () => response.end())
        response.write('w', () => request.socket.destroy(new Error('destroyed')))
      }),
    drive: (client) => client.fetch({ method: 'PUT', body: 'x' }),
  },
  {
    name: 'read after the socket was destroyed: promises run before the end',
    app: (app, kit) =>
      app.use((request) => {
        process.nextTick(() => {
          request.on('end', () => kit.note('end')).resume()
        })
        Promise.resolve().then(() => kit.note('promise'))
        request.socket.destroy(new Error('destroyed'))
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x' }),
  },
  {
    name: 'not read, and the response is destroyed after its end: promises run before the end of the request',
    app: (app, kit) =>
      app.use((request, response) => {
        request.on('end', () => kit.note('end'))
        Promise.resolve().then(() => kit.note('promise'))
        response.end()
        response.destroy()
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x' }),
  },
  {
    name: 'larger than the buffer of the request, and its reader is slow: the request is complete before it is read',
    app: (app, kit) =>
      app.use((request, response) => {
        request.once('readable', () => {
          setImmediate(() => {
            kit.note(`complete: ${request.complete}, ended: ${request.readableEnded}`)
            request.resume().on('end', () => response.end())
          })
        })
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(20_000) }),
  },
  {
    name: 'listeners after the end',
    app: (app, kit) =>
      app.use((request, response) => {
        request.resume().on('end', () => {
          setImmediate(() => {
            request.on('data', () => kit.note('late data')).on('end', () => kit.note('late end'))
            response.send(String(request.readableEnded))
          })
        })
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x' }),
  },
  {
    name: 'read twice',
    app: (app, { express }) =>
      app.use(
        express.json(),
        express.urlencoded({ extended: false }),
        express.text({ type: '*/*' }),
        echoBody,
      ),
    drive: (client) => client.fetch({ method: 'POST', headers: JSON_TYPE, body: '{"once":true}' }),
  },
]
