import { FastCgiError, formatAddress, type SocketAddress } from '@fcgi-bridge/client'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { currentUser, denialOf, statIfExists } from './socket-access.ts'

/**
 * Turns an error of the FastCGI client into a Failure that says what to do. Its exit status is 2 if the request is invalid, 5 if no
 * server responds, and 6 if the response is bad. Returns any other error unchanged. `begun`: the response headers had arrived.
 */
export function explainFailure(error: unknown, address: SocketAddress, begun = false): unknown {
  const { code } = error as { code?: string }
  const why = begun ? undefined : whyUnreachable(code, address)
  if (why !== undefined) return new Failure(EXIT.unreachable, why, { cause: error })
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED' || code === 'FCGI_ERR_REQUEST') {
    return new Failure(EXIT.usage, (error as Error).message, { cause: error })
  }
  if (begun && isProtocolError(error as Error, code)) {
    const message = `The response of ${formatAddress(address)} was cut off: ${(error as Error).message}`
    return new Failure(EXIT.badResponse, message, { cause: error })
  }
  const bad = whyBadResponse(error as Error, code, address)
  return bad === undefined ? error : new Failure(EXIT.badResponse, bad, { cause: error })
}

function whyUnreachable(code: string | undefined, address: SocketAddress): string | undefined {
  const name = formatAddress(address)
  const start = `Start the app: fcgi-bridge serve app.js ${'path' in address ? `--path ${name}` : `--port ${address.port}`}`
  switch (code) {
    case 'ENOENT':
      return `There is no socket at ${name}: no app listens there. ${start}`
    case 'EACCES':
    case 'EPERM':
      return whyDenied(address)
    case 'ECONNREFUSED':
      return whyRefused(address, start)
    case 'ENOTSOCK':
    case 'EPROTOTYPE':
      return `${name} does not accept stream connections, which FastCGI needs. Give the address of the app.`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The host name in ${name} cannot be resolved (${code}). Check the name, or use an IP address.`
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return `${name} cannot be reached (${code}). Check that the host is up, and that no firewall blocks this port.`
    case 'EAGAIN':
      return `${name} accepts no more connections: its backlog is full. Check whether the app hangs, and restart it.`
    default:
      return undefined
  }
}

function whyDenied(address: SocketAddress): string {
  const user = currentUser()
  const denial = 'path' in address && user !== undefined ? denialOf(address.path, user) : undefined
  if (denial === undefined) {
    return `This user does not have the permission to connect to ${formatAddress(address)}. Run the command as the app's user.`
  }
  return `${denial.reason}\nTo fix it: ${denial.fix}`
}

function whyRefused(address: SocketAddress, start: string): string {
  const name = formatAddress(address)
  if (!('path' in address)) return `No app listens on ${name}. ${start}`
  if (!statIfExists(address.path)?.isSocket()) return `${name} is not a socket. Give the address of the app.`
  return `No app listens on ${name}: a program that has ended left this socket behind. ${start}`
}

function whyBadResponse(error: Error, code: string | undefined, address: SocketAddress): string | undefined {
  const name = formatAddress(address)
  if (code === 'FCGI_ERR_VERSION') {
    // An HTTP response begins with `H`, which is 72.
    const isHttp = error.message.includes('version 72')
    const guess = isHttp ? ' It seems to be an HTTP server.' : ''
    return `The server on ${name} does not speak FastCGI.${guess} Give the address on which the app listens for FastCGI.`
  }
  if (code === 'UND_ERR_HEADERS_TIMEOUT') {
    return `The app at ${name} did not respond within the timeout. Check whether it hangs, or set a longer --timeout.`
  }
  if (code === 'UND_ERR_BODY_TIMEOUT') {
    return `The app at ${name} stopped sending its response. Check whether it hangs, or set a longer --timeout.`
  }
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET') {
    return `The app at ${name} closed the connection (${code}). Check whether it has crashed, or rejects connections from this host.`
  }
  return isProtocolError(error, code) ? `${name}: ${error.message}` : undefined
}

function isProtocolError(error: Error, code: string | undefined): boolean {
  return error instanceof FastCgiError || /^(FCGI_ERR|UND_ERR)_|^ECONNRESET$|^EPIPE$/.test(code ?? '')
}
