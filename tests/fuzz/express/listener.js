import { PassThrough, pipeline, Readable, Transform } from 'node:stream'

// The order of these events does not depend on the transport. That of the others ('data', 'drain', 'readable',
// 'resume', …) does.
const TRACED = new Set(['aborted', 'close', 'end', 'error', 'finish', 'pipe', 'timeout', 'unpipe'])

// Milliseconds after which a response is ended if the script has not ended it.
const END_AFTER = 30

/** The line after which the client has disconnected, because it waited too long. */
export const LEFT = 'the client disconnects'

/**
 * Runs a script's steps on a request and a response, and records what happens.
 *
 * @param {import('./script.js').Script} script
 * @param {string[]} lines
 * @returns {{ listener: import('node:http').RequestListener, called: Promise<void>, settled: Promise<void> }}
 */
export function makeListener({ steps }, lines) {
  let call = () => {}
  const called = new Promise((resolve) => {
    call = () => resolve(undefined)
  })
  let settle = () => {}
  const settled = new Promise((resolve) => {
    settle = () => resolve(undefined)
  })
  return {
    called,
    settled,
    listener(req, res) {
      const run = new Run(req, res, lines)
      run.watch(settle)
      call()
      run.start(steps)
    },
  }
}

class Run {
  #req
  #res
  #lines
  #socket

  constructor(req, res, lines) {
    this.#req = req
    this.#res = res
    this.#lines = lines
    this.#socket = req.socket
  }

  note(line) {
    this.#lines.push(line)
  }

  watch(settle) {
    const res = this.#res
    const timer = setTimeout(() => {
      if (res.writableEnded || res.destroyed) return
      this.note('ended by the timer')
      this.#attempt('end', () => {
        res.end()
      })
    }, END_AFTER)
    let open = 2
    const closed = () => {
      if (--open === 0) settle()
    }
    this.#trace(this.#req, 'req', closed)
    this.#trace(res, 'res', () => {
      clearTimeout(timer)
      closed()
    })
  }

  #trace(emitter, name, closed) {
    const { emit } = emitter
    emitter.emit = (event, ...args) => {
      if (TRACED.has(event)) {
        const detail = event === 'error' ? ` ${codeOf(args[0])}` : ''
        // An 'error' without a listener is thrown by emit, to the caller of emit.
        this.note(`${name} ${event}${detail}`)
        if (event === 'close') this.note(this.#state(name))
      }
      const heard = Reflect.apply(emit, emitter, [event, ...args])
      if (event === 'close') closed()
      return heard
    }
  }

  #state(name) {
    if (name === 'req') {
      const { complete, aborted, destroyed, readableEnded } = this.#req
      return `req complete=${complete} aborted=${aborted} destroyed=${destroyed} ended=${readableEnded}`
    }
    const { headersSent, writableEnded, writableFinished, destroyed, statusCode } = this.#res
    return `res sent=${headersSent} ended=${writableEnded} finished=${writableFinished} destroyed=${destroyed} status=${statusCode}`
  }

  start(steps) {
    for (const [i, step] of steps.entries()) if (step.when !== 'now') this.#schedule(step, i)
    for (const [i, step] of steps.entries()) if (step.when === 'now') this.#run(step, i)
  }

  #schedule(step, i) {
    const run = () => this.#run(step, i)
    const { when } = step
    if (when === 'tick') process.nextTick(run)
    else if (when === 'microtask') Promise.resolve().then(run)
    else if (when === 'immediate') setImmediate(run)
    else if (when === 'timer') setTimeout(run, 3)
    else if (when === 'written') this.#res.write('w', run)
    else {
      const [who, event] = when.split(' ')
      ;(who === 'req' ? this.#req : this.#res).once(event, run)
    }
  }

  #run({ when, call, args = [] }, i) {
    const label = `${call}#${i}`
    this.#attempt(label, () => this.#call(label, call, args, when))
  }

  #attempt(label, action) {
    try {
      const result = action()
      if (result !== undefined) this.note(`${label} ${result}`)
    } catch (error) {
      this.note(`${label} throws ${codeOf(error)}`)
    }
  }

  #callback(label) {
    return (error) => this.note(`${label} called back ${error == null ? 'well' : codeOf(error)}`)
  }

  #call(label, call, args, when) {
    const req = this.#req
    const res = this.#res
    const socket = this.#socket
    switch (call) {
      case 'res.write': {
        const data = dataOf(args[0])
        if (args[1]) res.write(data, this.#callback(label))
        else res.write(data)
        return
      }
      case 'res.write string':
        res.write(args[0], args[1])
        return
      case 'res.write bad':
        res.write(args[0])
        return
      case 'res.end': {
        const rest = args[1] ? [this.#callback(label)] : []
        if (args[0] === null) res.end(...rest)
        else res.end(dataOf(args[0]), ...rest)
        return
      }
      case 'res.end string':
        res.end(args[0], args[1])
        return
      case 'res.writeHead': {
        const [status, reason, headers] = args
        const given = headersOf(headers)
        const list = reason === undefined || reason === null ? [given] : [reason, given]
        res.writeHead(status, ...list)
        return
      }
      case 'res.setHeader':
        res.setHeader(...args)
        return
      case 'res.setHeaders':
        res.setHeaders(new Map(args[0]?.entries ?? []))
        return
      case 'res.appendHeader':
        res.appendHeader(...args)
        return
      case 'res.removeHeader':
        res.removeHeader(...args)
        return
      case 'res.contentLength':
        res.setHeader('Content-Length', args[0])
        return
      case 'res.getHeaders':
        return JSON.stringify([res.getHeaders(), res.getRawHeaderNames(), res.hasHeader('x-a')])
      case 'res.flushHeaders':
        res.flushHeaders()
        return
      case 'res.statusCode':
        res.statusCode = args[0]
        return
      case 'res.statusMessage':
        res.statusMessage = args[0]
        return
      case 'res.destroy':
        res.destroy(args[0] ? new Error('destroyed') : undefined)
        return
      case 'res.cork':
        res.cork()
        return
      case 'res.uncork':
        res.uncork()
        return
      case 'res.addTrailers':
        res.addTrailers({ [args[0]]: args[1] })
        return
      case 'res.writeContinue':
        // After the head, Node's method breaks the connection.
        if (res.headersSent) return
        res.writeContinue()
        return
      case 'res.writeProcessing':
        // After the head, Node's method breaks the connection.
        if (res.headersSent) return
        res.writeProcessing()
        return
      case 'res.writeEarlyHints':
        // After the head, Node's method breaks the connection.
        if (res.headersSent) return
        res.writeEarlyHints({ link: args[0] })
        return
      case 'res.setTimeout':
        res.setTimeout(args[0], () => this.note(`${label} timed out`))
        return
      case 'res.pipe':
        sourceOf(args[0], args[1])
          .on('error', (error) => this.note(`${label} source ${codeOf(error)}`))
          .pipe(res)
        return
      case 'req.resume':
        req.resume()
        return
      case 'req.pause':
        req.pause()
        return
      case 'req.on data':
        this.#count(label, 'data', when)
        return
      case 'req.on readable':
        this.#count(label, 'readable', when)
        return
      case 'req.iterate':
        this.#iterate(label, args[0])
        return
      case 'req.read':
        // The amount of available data depends on timing.
        req.read(args[0])
        return
      case 'req.setEncoding':
        req.setEncoding(args[0])
        return
      case 'req.destroy':
        req.destroy(args[0] ? new Error('destroyed') : undefined)
        return
      case 'req.pipe res':
        req.pipe(res)
        return
      case 'req.pipeline res':
        pipeline(req, res, this.#callback(label))
        return
      case 'req.pipeline':
        pipeline(req, args[0] ? failing() : new PassThrough().resume(), this.#callback(label))
        return
      case 'req.unpipe':
        req.unpipe()
        return
      case 'req.setTimeout':
        req.setTimeout(args[0], () => this.note(`${label} timed out`))
        return
      case 'socket.destroy':
        socket.destroy(args[0] ? new Error('destroyed') : undefined)
        return
      case 'socket.end':
        socket.end()
        return
      case 'socket.setTimeout':
        // After the response, the time-out would apply to the next request on the connection, or to none.
        if (when !== 'now') return
        socket.setTimeout(args[0], () => this.note(`${label} timed out`))
        return
      case 'listen error':
        ;(args[0] === 'req' ? req : res).on('error', () => {})
        return
      case 'look':
        return `${this.#state('req')} ${this.#state('res')} read=${req.readable} write=${res.writable} socket=${res.socket === null}`
      default:
        throw new Error(`No such call: ${call}`)
    }
  }

  #count(label, how, when) {
    const req = this.#req
    let length = 0
    if (how === 'data') {
      req.on('data', (chunk) => {
        length += chunk.length
      })
    } else {
      req.on('readable', () => {
        for (let chunk = req.read(); chunk !== null; chunk = req.read()) length += chunk.length
      })
    }
    // What a later listener still gets depends on timing.
    req.on('end', () => this.note(when === 'now' ? `${label} read ${length}` : `${label} ended`))
  }

  async #iterate(label, stops) {
    let length = 0
    try {
      for await (const chunk of this.#req) {
        length += chunk.length
        if (stops) break
      }
      this.note(`${label} ${stops ? 'stopped' : `iterated ${length}`}`)
    } catch (error) {
      this.note(`${label} iterated, then ${codeOf(error)}`)
    }
  }
}

function dataOf({ size, buffer }) {
  return buffer ? Buffer.alloc(size, 'b') : 'a'.repeat(size)
}

function headersOf(headers) {
  if (headers === null || headers === undefined) return undefined
  const { form, entries } = headers
  if (form === 'object') return Object.fromEntries(entries)
  return form === 'flat' ? entries.flat() : entries
}

function sourceOf(size, fails) {
  let left = size
  return new Readable({
    read() {
      if (fails) this.destroy(new Error('source'))
      else if (left > 0) {
        const length = Math.min(left, 10_000)
        left -= length
        this.push(Buffer.alloc(length, 's'))
      } else this.push(null)
    },
  })
}

function failing() {
  return new Transform({
    transform(_chunk, _encoding, callback) {
      callback(new Error('refused'))
    },
  })
}

/** An error's code, or its message if it has none. */
export function codeOf(error) {
  return error?.code ?? error?.message ?? String(error)
}
