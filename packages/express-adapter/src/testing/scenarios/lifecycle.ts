import { once } from 'node:events'
import { finished } from 'node:stream'
import type { NextFunction, Request, Response } from 'express'
import onFinished from 'on-finished'
import type { Scenario, TestClient } from '../differential.ts'

async function disconnectAfter(client: TestClient, opened: Promise<void>, request = {}): Promise<void> {
  const exchange = client.send(request)
  await opened
  exchange.abort()
}

/** Requests that are aborted, fail or time out. */
export const lifecycleScenarios: readonly Scenario[] = [
  {
    name: 'the client disconnects before the response',
    app: (app, kit) =>
      app.use((request, response) => {
        request.on('aborted', () => kit.note(`${request.aborted}`))
        response.on('close', () =>
          kit.note(`${response.destroyed} ${response.headersSent} ${response.writableEnded}`),
        )
        kit.gate('asked').open()
      }),
    drive: (client, kit) => disconnectAfter(client, kit.gate('asked').opened),
  },
  {
    name: 'the client disconnects before the response, and the request has an error listener',
    app: (app, kit) =>
      app.use((request) => {
        request.on('error', (error: NodeJS.ErrnoException) => kit.note(`${error.message} ${error.code}`))
        kit.gate('asked').open()
      }),
    drive: (client, kit) => disconnectAfter(client, kit.gate('asked').opened),
  },
  {
    name: 'the client disconnects, and the app still sends a response',
    app: (app, kit) =>
      app.use((request, response) => {
        request.on('close', () => {
          response.status(200).send('late')
          kit.note(`${response.headersSent} ${response.writableEnded} ${response.writableFinished}`)
        })
        kit.gate('asked').open()
      }),
    drive: (client, kit) => disconnectAfter(client, kit.gate('asked').opened),
    trace: 'each',
  },
  {
    name: 'the client disconnects in the middle of a body that is read',
    app: (app, kit) =>
      app.use((request) => {
        request.on('data', () => kit.gate('some').open())
        request.on('error', (error: NodeJS.ErrnoException) => kit.note(`${error.message} ${error.code}`))
        request.on('end', () => kit.note('must not end'))
        request.on('close', () => kit.note(`${request.complete} ${request.readableEnded}`))
      }),
    drive: async (client, kit) => {
      const exchange = client.send({ method: 'POST', streamed: true, headers: ['Content-Length', '1000'] })
      exchange.write('x'.repeat(100))
      await kit.gate('some').opened
      exchange.abort()
    },
  },
  {
    name: 'the client disconnects in the middle of a body that nobody reads',
    app: (app, kit) =>
      app.use((request) => {
        request.on('close', () => kit.note(`${request.complete} ${request.readableEnded}`))
        kit.gate('asked').open()
      }),
    drive: async (client, kit) => {
      const exchange = client.send({ method: 'POST', streamed: true, headers: ['Content-Length', '1000'] })
      exchange.write('x'.repeat(100))
      await kit.gate('asked').opened
      exchange.abort()
    },
  },
  {
    name: 'the client disconnects in the middle of a body that is iterated',
    app: (app, kit) =>
      app.use(async (request) => {
        try {
          for await (const _ of request) kit.gate('some').open()
          kit.note('must not end')
        } catch (error) {
          kit.note(`${(error as Error).message} ${(error as NodeJS.ErrnoException).code}`)
        }
      }),
    drive: async (client, kit) => {
      const exchange = client.send({ method: 'POST', streamed: true })
      exchange.write('x'.repeat(100))
      await kit.gate('some').opened
      exchange.abort()
    },
  },
  {
    name: 'the client disconnects in the middle of a JSON body',
    app: (app, kit) => {
      app.use((request, _, next) => {
        kit.gate('asked').open()
        request.on('close', () => kit.note('closed'))
        next()
      })
      app.use(kit.express.json())
      app.use(
        (error: Error & { status: number; type: string }, _: Request, __: Response, next: NextFunction) => {
          kit.note(`${error.message} ${error.status} ${error.type}`)
          next()
        },
      )
    },
    drive: (client, kit) =>
      disconnectAfter(client, kit.gate('asked').opened, {
        method: 'POST',
        streamed: true,
        headers: ['Content-Type', 'application/json', 'Content-Length', '1000'],
      }),
    trace: 'each',
  },
  {
    name: 'the client disconnects after the body was read, before the response',
    app: (app, kit) =>
      app.use((request) => {
        request.resume().on('end', () => kit.gate('read').open())
      }),
    drive: (client, kit) => disconnectAfter(client, kit.gate('read').opened, { method: 'POST', body: 'x' }),
  },
  ...['completes', 'is aborted'].map(
    (how): Scenario => ({
      name: `the signal of a request that ${how}`,
      app: (app, kit) =>
        app.use((request, response) => {
          // `request.signal` exists since Node 24.
          const { signal } = request as { signal?: AbortSignal }
          kit.note(String(signal?.aborted))
          signal?.addEventListener('abort', () => kit.note('abort'))
          response.on('close', () => {
            setTimeout(() => {
              kit.note(String(signal?.aborted))
              kit.gate('noted').open()
            }, 5)
          })
          kit.gate('asked').open()
          if (how === 'completes') response.send('x')
        }),
      drive: async (client, kit) => {
        const exchange = client.send()
        await kit.gate('asked').opened
        if (how === 'is aborted') exchange.abort()
        else await exchange.response
        await kit.gate('noted').opened
      },
      trace: 'each',
    }),
  ),
  {
    name: 'finished(), on-finished and once() when the response completes',
    app: (app, kit) =>
      app.use((request, response) => {
        finished(request, (error) => kit.note(`request ${error?.code}`))
        finished(response, (error) => kit.note(`response ${error?.code}`))
        onFinished(response, (error) => kit.note(`on-finished ${error}`))
        kit.note(`${onFinished.isFinished(request)} ${onFinished.isFinished(response)}`)
        request.resume().on('end', () => response.send('x'))
        once(response, 'finish').then(() => kit.note(`${onFinished.isFinished(response)}`))
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x' }),
    trace: 'each',
  },
  {
    name: 'finished() and on-finished when the client disconnects',
    app: (app, kit) =>
      app.use((request, response) => {
        finished(request, (error) => kit.note(`request ${error?.code}`))
        finished(response, (error) => kit.note(`response ${error?.code}`))
        onFinished(response, (error) => kit.note(`on-finished ${error}`))
        onFinished(request, (error) => kit.note(`on-finished request ${error}`))
        kit.gate('asked').open()
      }),
    drive: (client, kit) => disconnectAfter(client, kit.gate('asked').opened),
    trace: 'each',
  },
  ...(['destroy', 'destroy with an error'] as const).flatMap((how): Scenario[] => {
    const error = how === 'destroy' ? undefined : new Error('of the app')
    return [
      {
        name: `request.${how}, before the head`,
        app: (app) => app.use((request) => void request.destroy(error)),
      },
      {
        name: `request.${how}, with error listeners`,
        app: (app, kit) =>
          app.use((request, response) => {
            request.on('error', ({ message }) => kit.note(`request ${message}`))
            response.on('error', ({ message }) => kit.note(`response ${message}`))
            request.socket.on('error', ({ message }) => kit.note(`socket ${message}`))
            request.socket.on('close', () => kit.note('socket closed'))
            request.destroy(error)
          }),
      },
      {
        name: `response.${how}, before the head`,
        app: (app, kit) =>
          app.use((_, response) => {
            response.destroy(error)
            kit.note(`${response.destroyed} ${response.errored?.message}`)
            kit.note(String(response.write('x', (e) => kit.note(String((e as NodeJS.ErrnoException).code)))))
          }),
      },
      {
        name: `response.${how}, after the head`,
        app: (app, kit) =>
          app.use((_, response) => {
            response.write('begun')
            kit.gate('begun').opened.then(() => response.destroy(error))
          }),
        drive: async (client, kit) => {
          const exchange = client.send()
          await exchange.received('begun')
          kit.gate('begun').open()
          const { status, complete } = await exchange.response
          return [status, complete]
        },
      },
      {
        name: `socket.${how}`,
        app: (app) => app.use((request) => void request.socket.destroy(error)),
      },
      {
        name: `request.${how} in the middle of its body`,
        app: (app) =>
          app.use((request) => {
            request.once('data', () => request.destroy(error))
          }),
        drive: (client) => client.fetch({ method: 'POST', body: 'x'.repeat(100_000) }),
      },
    ]
  }),
  ...['', '0123456789'].map(
    (body): Scenario => ({
      name: `a second end() on 'end' of a body of ${body.length} bytes, which is ignored`,
      app: (app, kit) =>
        app.use((request, response) => {
          request.on('end', () => {
            response.end('done', (error?: Error | null) =>
              kit.note(String((error as NodeJS.ErrnoException)?.code)),
            )
          })
          request.resume()
          response.end('no')
        }),
      drive: (client) => client.fetch({ method: 'POST', body }),
    }),
  ),
  {
    name: 'a second end() without a chunk, and a write with a callback after the end',
    app: (app, kit) =>
      app.use((request, response) => {
        request.on('end', () => {
          response.end(() => kit.note('second end'))
          response.write('late', (error) => kit.note(String((error as NodeJS.ErrnoException)?.code)))
        })
        request.resume()
        response.end('no', () => kit.note('first end'))
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x' }),
  },
  ...[undefined, new Error('given up')].map(
    (error): Scenario => ({
      name: `the socket is destroyed on the tick after the end, while a body arrives: ${error?.message}`,
      app: (app) =>
        app.use((request, response) => {
          request.on('error', () => {}).resume()
          response.end('whole')
          process.nextTick(() => process.nextTick(() => request.socket.destroy(error)))
        }),
      drive: async (client) => {
        const exchange = client.send({ method: 'POST', streamed: true, headers: ['Content-Length', '1000'] })
        exchange.write('x'.repeat(100))
        return (await exchange.response).body.toString()
      },
      trace: 'none',
      requestStaysOpen: true,
    }),
  ),
  {
    name: 'destroyed after the end',
    app: (app) =>
      app.use((request, response) => {
        response.send('x')
        response.on('close', () => {
          request.destroy()
          response.destroy()
        })
      }),
    trace: 'each',
  },
  {
    name: 'an error thrown by a route',
    app: (app) =>
      app.get('/', () => {
        throw new Error('broken')
      }),
  },
  {
    name: 'an error with a status, handled by the app',
    app: (app) => {
      app.get('/', (_, __, next) =>
        next(Object.assign(new Error('teapot'), { status: 418, headers: { 'X-Why': 'tea' } })),
      )
      app.use((error: Error, _: Request, response: Response, next: NextFunction) => {
        response.set('X-Seen', error.message)
        next(error)
      })
    },
  },
  {
    name: 'an error after the head',
    app: (app, kit) =>
      app.get('/', (_, response, next) => {
        response.write('begun')
        kit.gate('begun').opened.then(() => next(new Error('late')))
      }),
    drive: async (client, kit) => {
      const exchange = client.send()
      await exchange.received('begun')
      kit.gate('begun').open()
      const { status, complete } = await exchange.response
      return [status, complete]
    },
  },
  {
    name: 'an error between writeHead and the first byte',
    app: (app) =>
      app.get('/', (_, response, next) => {
        response.writeHead(200)
        next(new Error('late'))
      }),
  },
  {
    name: 'a promise that rejects',
    app: (app, { express }) =>
      app.get('/', (_, __, next) => {
        const failure = Promise.reject(new Error('async'))
        // Express 4 ignores promises that a route returns.
        if (express.Router.length === 1) failure.catch(next)
        return failure
      }),
  },
  {
    name: 'a response that times out',
    app: (app, kit) =>
      app.use((request, response) => {
        response.setTimeout(20, () => {
          kit.note('timed out')
          response.status(503).send('slow')
        })
        request.on('close', () => kit.note('closed'))
      }),
  },
  {
    name: 'response.setTimeout without a callback',
    app: (app) => app.use((_, response) => void response.setTimeout(20)),
  },
  {
    name: 'request.setTimeout while the app waits for the body',
    app: (app, kit) =>
      app.use((request, response) => {
        request.setTimeout(20, () => {
          kit.note('timed out')
          response.status(408).send('slow')
        })
        request.resume()
      }),
    drive: async (client) => {
      const exchange = client.send({ method: 'POST', streamed: true, headers: ['Content-Length', '10'] })
      const status = await exchange.head
      exchange.abort()
      return status
    },
    trace: 'none',
    requestStaysOpen: true,
  },
  {
    name: 'request.setTimeout without a body',
    app: (app, kit) => app.use((request) => void request.setTimeout(20, () => kit.note('timed out'))),
  },
  {
    name: 'socket.setTimeout with a callback',
    app: (app, kit) =>
      app.use((request) => void request.socket.setTimeout(20, () => kit.note('socket timed out'))),
  },
  {
    name: 'socket.setTimeout, turned off again',
    app: (app, kit) =>
      app.use((request, response) => {
        const onTimeout = (): void => kit.note('timed out')
        request.socket.setTimeout(10, onTimeout)
        request.socket.setTimeout(0, onTimeout)
        kit.note(String(request.socket.timeout))
        setTimeout(() => response.send('in time'), 30)
      }),
  },
  {
    name: 'a time-out that traffic postpones',
    app: (app, kit) =>
      app.use((_, response) => {
        // The time-out is much longer than the pause between writes, because writes are late on a busy machine.
        response.setTimeout(1000, () => kit.note('timed out'))
        let count = 0
        const timer = setInterval(() => {
          response.write('.')
          if (++count < 8) return
          clearInterval(timer)
          response.end()
        }, 150)
      }),
  },
]
