import type { X509Certificate } from 'node:crypto'
import type { Exchange } from '@fcgi-bridge/core'
import { ExchangeSocket } from './exchange-socket.ts'

/** Creates the socket of an exchange: like a tls.TLSSocket if the client used TLS (HTTPS), else like a net.Socket. */
export function createSocket(exchange: Exchange): ExchangeSocket {
  return exchange.scheme === 'https' ? new TlsExchangeSocket(exchange) : new ExchangeSocket(exchange)
}

/**
 * The socket of a request whose client used TLS. It takes its values from the SSL_* params of the front server (Apache:
 * `SSLOptions +StdEnvVars`). If a param is missing, it returns what a TLSSocket returns if it has no value.
 */
class TlsExchangeSocket extends ExchangeSocket {
  encrypted = true
  /** True if the front server verified the client's certificate (SSL_CLIENT_VERIFY). */
  authorized: boolean
  authorizationError: Error | string | null = null
  /** SSL_TLS_SNI. */
  servername: string | false
  alpnProtocol: string | false = false
  secureConnecting = false
  ssl: unknown = null
  override timeout = 0

  constructor(exchange: Exchange) {
    super(exchange)
    this.authorized = exchange.param('SSL_CLIENT_VERIFY') === 'SUCCESS'
    this.servername = exchange.param('SSL_TLS_SNI') || false
  }

  /** SSL_CLIENT_CERT (PEM) as Node's legacy certificate object. `{}` without a readable certificate. */
  getPeerCertificate(): object {
    return this.getPeerX509Certificate()?.toLegacyObject() ?? {}
  }

  /** SSL_CLIENT_CERT (PEM). Undefined without a readable certificate. */
  getPeerX509Certificate(): X509Certificate | undefined {
    const pem = this.exchange.param('SSL_CLIENT_CERT')
    if (!pem) return undefined
    // Loaded on use, because most front servers send no certificate.
    const crypto = process.getBuiltinModule('node:crypto')
    try {
      // nginx's $ssl_client_cert puts a tab before each line except the first.
      return new crypto.X509Certificate(pem.replaceAll('\t', ''))
    } catch {
      return undefined
    }
  }

  /** SSL_PROTOCOL, such as `TLSv1.3`. */
  getProtocol(): string | null {
    return this.exchange.param('SSL_PROTOCOL') || null
  }

  /** SSL_CIPHER. */
  getCipher(): { name: string; standardName: string; version: string } {
    const name = this.exchange.param('SSL_CIPHER') ?? ''
    return { name, standardName: name, version: this.getProtocol() ?? '' }
  }

  /** SSL_SESSION_RESUMED. */
  isSessionReused(): boolean {
    return this.exchange.param('SSL_SESSION_RESUMED') === 'Resumed'
  }

  /** Throws: the front server has the keys. */
  exportKeyingMaterial(): never {
    throw new Error('The TLS keys of the connection are in the front server.')
  }

  renegotiate(_options?: object, callback?: (error: Error | null) => void): boolean {
    if (callback !== undefined) {
      process.nextTick(
        callback,
        new Error('The front server ends the TLS connection. It cannot be renegotiated.'),
      )
    }
    return false
  }
}

// The other methods of a TLSSocket. Getters return what a TLSSocket returns if it has no value. Setters do nothing.
const UNKNOWN: Readonly<Record<string, () => unknown>> = {
  getCertificate: () => null,
  getX509Certificate: () => undefined,
  getEphemeralKeyInfo: () => null,
  getSharedSigalgs: () => [],
  getFinished: () => undefined,
  getPeerFinished: () => undefined,
  getSession: () => undefined,
  getTLSTicket: () => undefined,
  setMaxSendFragment: () => false,
  disableRenegotiation: () => undefined,
  enableTrace: () => undefined,
  setServername: () => undefined,
  setSession: () => undefined,
  setKeyCert: () => undefined,
}
for (const [name, value] of Object.entries(UNKNOWN)) {
  Object.defineProperty(TlsExchangeSocket.prototype, name, { configurable: true, writable: true, value })
}

for (const name of Object.getOwnPropertyNames(TlsExchangeSocket.prototype)) {
  if (name !== 'constructor') Object.defineProperty(TlsExchangeSocket.prototype, name, { enumerable: true })
}
