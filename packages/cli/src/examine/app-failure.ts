import { FastCgiError, formatAddress, type SocketAddress } from '@fcgi-bridge/client'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { currentUser, denialOf, look } from './socket-access.ts'

/**
 * An error of the client's, in words that tell what to do. Status 2 where the request can not be, 5 where nobody answers, 6
 * where the answer is no good one.
 * What is neither is given back as it is. `begun`: the head of an answer had come.
 */
export function explainFailure(error: unknown, address: SocketAddress, begun = false): unknown {
  const { code } = error as { code?: string }
  const why = begun ? undefined : whyUnreachable(code, address)
  if (why !== undefined) return new Failure(EXIT.unreachable, why, { cause: error })
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED' || code === 'FCGI_ERR_REQUEST') {
    return new Failure(EXIT.usage, (error as Error).message, { cause: error })
  }
  if (begun && isOfTheWire(error as Error, code)) {
    const message = `The answer of ${formatAddress(address)} broke off: ${(error as Error).message}`
    return new Failure(EXIT.badAnswer, message, { cause: error })
  }
  const bad = whyBad(error as Error, code, address)
  return bad === undefined ? error : new Failure(EXIT.badAnswer, bad, { cause: error })
}

function whyUnreachable(code: string | undefined, address: SocketAddress): string | undefined {
  const name = formatAddress(address)
  const start = `Start the app: fcgi-bridge serve app.js ${'path' in address ? `--path ${name}` : `--port ${address.port}`}`
  switch (code) {
    case 'ENOENT':
      return `There is no socket at ${name}. ${start}`
    case 'EACCES':
    case 'EPERM':
      return whyDenied(address)
    case 'ECONNREFUSED':
      return whyRefused(address, start)
    case 'ENOTSOCK':
    case 'EPROTOTYPE':
      return `${name} takes no stream connections, as FastCGI needs.`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The name in ${name} is not known here (${code}).`
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return `${name} can not be reached (${code}). Is the host up, and does a firewall let this port through?`
    case 'EAGAIN':
      return `${name} takes no more connections now: the app does not accept those that wait. Does it hang?`
    default:
      return undefined
  }
}

function whyDenied(address: SocketAddress): string {
  const user = currentUser()
  const denial = 'path' in address && user !== undefined ? denialOf(address.path, user) : undefined
  if (denial === undefined) return `This user may not connect to ${formatAddress(address)}.`
  return `${denial.seen}\n${denial.mend}`
}

function whyRefused(address: SocketAddress, start: string): string {
  const name = formatAddress(address)
  if (!('path' in address)) return `Nobody listens on ${name}. ${start}`
  if (!look(address.path)?.isSocket()) return `${name} is no socket.`
  return `Nobody listens on ${name}: the socket was left behind by a program that ended. ${start}`
}

function whyBad(error: Error, code: string | undefined, address: SocketAddress): string | undefined {
  const name = formatAddress(address)
  if (code === 'FCGI_ERR_VERSION') {
    // Its answer begins with H, which is 72.
    const what = error.message.includes('version 72') ? 'an HTTP server, it seems' : 'something else'
    return `What listens on ${name} does not speak FastCGI: ${what}.`
  }
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return `The app at ${name} gave no answer in time.`
  if (code === 'UND_ERR_BODY_TIMEOUT') return `The app at ${name} did not go on with its answer.`
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET') {
    return `The app at ${name} has cut the connection (${code}). Has it crashed, or does it refuse this host?`
  }
  return isOfTheWire(error, code) ? `${name}: ${error.message}` : undefined
}

function isOfTheWire(error: Error, code: string | undefined): boolean {
  return error instanceof FastCgiError || /^(FCGI_ERR|UND_ERR)_|^ECONNRESET$|^EPIPE$/.test(code ?? '')
}
