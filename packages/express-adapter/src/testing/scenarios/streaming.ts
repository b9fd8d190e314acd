import { createReadStream } from 'node:fs'
import { PassThrough, pipeline, Readable } from 'node:stream'
import { pipeline as pipelinePromise } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import compression from 'compression'
import type { Response } from 'express'
import type { Scenario } from '../differential.ts'

const thisFile = fileURLToPath(import.meta.url)

function* numbers(count: number): Generator<string> {
  for (let i = 0; i < count; i++) yield `${i}\n`
}

function openEventStream(response: Response): void {
  response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
  response.flushHeaders()
}

const piece = Buffer.alloc(64 * 1024, 'z')

/** Ways in which apps write a response in pieces. */
export const streamingScenarios: readonly Scenario[] = [
  {
    name: 'a file, piped',
    app: (app) => app.use((_, response) => void createReadStream(thisFile).pipe(response)),
    trace: 'each',
  },
  {
    name: 'pipeline from a generator',
    app: (app, kit) =>
      app.use((_, response) => {
        pipeline(Readable.from(numbers(5000)), response, (error) => kit.note(`done ${error}`))
      }),
    trace: 'each',
  },
  {
    name: 'pipeline as a promise',
    app: (app, kit) =>
      app.use(async (_, response) => {
        await pipelinePromise(createReadStream(thisFile), response)
        kit.note(`written ${response.writableFinished}`)
        kit.gate('written').open()
      }),
    drive: async (client, kit) => {
      const response = await client.get()
      await kit.gate('written').opened
      return response
    },
    trace: 'each',
  },
  {
    name: 'a megabyte to a client that reads late',
    app: (app, kit) =>
      app.use((_, response) => {
        let left = 32
        const write = (): void => {
          while (left > 0) {
            left--
            if (!response.write(piece)) {
              kit.gate('full').open()
              response.once('drain', write)
              return
            }
          }
          response.end()
        }
        write()
      }),
    drive: async (client, kit) => {
      const exchange = client.send()
      exchange.pause()
      await kit.gate('full').opened
      exchange.resume()
      const { status, body, complete } = await exchange.response
      return [status, body.length, complete]
    },
  },
  {
    name: 'a second pipe after one that had to wait for drain',
    app: (app, kit) =>
      app.use((_, response) => {
        const first = Readable.from([piece, piece, piece, piece])
        first.pipe(response, { end: false })
        first.on('end', () => {
          response.once('drain', () => {
            kit.note(`drain, needs drain ${response.writableNeedDrain}`)
            Readable.from([piece, Buffer.from('end')]).pipe(response)
          })
          if (!response.writableNeedDrain) response.emit('drain')
        })
      }),
    drive: async (client) => {
      const { body } = await client.send().response
      return [body.length, body.subarray(-3).toString()]
    },
    trace: 'each',
  },
  {
    name: 'writes that wait for their callbacks',
    app: (app, kit) =>
      app.use((_, response) => {
        let count = 0
        const write = (): void => {
          if (++count > 20) response.end()
          else {
            response.write(piece, (error) => {
              if (error) kit.note(`error ${error.message}`)
              write()
            })
          }
        }
        write()
      }),
    drive: async (client) => (await client.send().response).body.length,
  },
  {
    name: 'a source that fails before its first byte',
    app: (app, kit) =>
      app.use((_, response, next) => {
        const source = new Readable({ read() {} })
        source.on('error', (error) => {
          kit.note(`source ${error.message}`)
          next(error)
        })
        source.pipe(response)
        setImmediate(() => source.destroy(new Error('no source')))
      }),
    drive: async (client) => (await client.get()).status,
  },
  {
    name: 'pipeline from a source that fails in the middle',
    app: (app, kit) =>
      app.use((_, response) => {
        const source = new PassThrough()
        source.write('begin')
        pipeline(source, response, (error) => kit.note(`done ${error?.message}`))
        kit.gate('begun').opened.then(() => source.destroy(new Error('lost')))
      }),
    drive: async (client, kit) => {
      const exchange = client.send()
      await exchange.received('begin')
      kit.gate('begun').open()
      const { status, complete } = await exchange.response
      return [status, complete]
    },
    trace: 'each',
  },
  {
    name: 'server-sent events reach the client one by one',
    app: (app, kit) =>
      app.use((request, response) => {
        openEventStream(response)
        let count = 0
        const send = (): void => {
          response.write(`data: ${++count}\n\n`)
        }
        kit.gate('head').opened.then(send)
        kit.gate('first').opened.then(send)
        kit.gate('second').opened.then(() => response.end())
        request.on('close', () => kit.note(`closed after ${count}`))
      }),
    drive: async (client, kit) => {
      const exchange = client.send()
      const status = await exchange.head
      kit.gate('head').open()
      await exchange.received('data: 1\n\n')
      kit.gate('first').open()
      await exchange.received('data: 2\n\n')
      kit.gate('second').open()
      return [status, await exchange.response]
    },
  },
  {
    name: 'server-sent events without flushHeaders',
    app: (app, kit) =>
      app.use((_, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' })
        response.write('data: 1\n\n')
        kit.gate('first').opened.then(() => response.end())
      }),
    drive: async (client, kit) => {
      const exchange = client.send()
      await exchange.received('data: 1\n\n')
      kit.gate('first').open()
      return exchange.response
    },
  },
  {
    name: 'compressed server-sent events, flushed',
    app: (app, kit) => {
      app.use(compression())
      app.use((_, response) => {
        openEventStream(response)
        response.write('data: 1\n\n')
        ;(response as Response & { flush(): void }).flush()
        kit.gate('first').opened.then(() => response.end('data: 2\n\n'))
      })
    },
    drive: async (client, kit) => {
      const exchange = client.send({ headers: ['Accept-Encoding', 'identity'] })
      await exchange.received('data: 1')
      kit.gate('first').open()
      const compressed = client.send({ headers: ['Accept-Encoding', 'gzip'] })
      return [await exchange.response, (await compressed.response).headers]
    },
    trace: 'each',
  },
  {
    name: 'a client that disconnects from a stream of events',
    app: (app, kit) =>
      app.use((request, response) => {
        openEventStream(response)
        response.write('data: 1\n\n')
        const timer = setInterval(() => response.write(': beat\n\n'), 5)
        request.on('close', () => {
          clearInterval(timer)
          kit.note(`${request.aborted} ${request.destroyed} ${response.writableEnded}`)
        })
        response.on('close', () => {
          kit.note(`${response.writableFinished} ${response.destroyed}`)
          kit.note(
            String(
              response.write('late', (error) => kit.note(String((error as NodeJS.ErrnoException).code))),
            ),
          )
        })
      }),
    drive: async (client) => {
      const exchange = client.send()
      await exchange.received('data: 1\n\n')
      exchange.abort()
    },
    trace: 'each',
  },
  {
    name: 'a client that disconnects while the writer waits for drain',
    app: (app, kit) =>
      app.use((_, response) => {
        pipeline(
          new Readable({
            read() {
              this.push(piece)
            },
          }),
          response,
          (error) => {
            kit.note(`done ${error?.code}`)
          },
        )
        response.once('close', () => kit.note('closed'))
        setTimeout(() => kit.gate('full').open(), 50)
      }),
    drive: async (client, kit) => {
      const exchange = client.send()
      exchange.pause()
      await kit.gate('full').opened
      exchange.abort()
    },
    trace: 'none',
  },
]
