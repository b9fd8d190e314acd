import { X509Certificate } from 'node:crypto'
import type { Exchange } from '@fcgi-bridge/core'
import { ExchangeSocket } from './exchange-socket.ts'

/** Makes the socket of an exchange: like a tls.TLSSocket if the client used TLS (HTTPS), else like a net.Socket. */
export function createSocket(exchange: Exchange): ExchangeSocket {
  return exchange.scheme === 'https' ? new TlsExchangeSocket(exchange) : new ExchangeSocket(exchange)
}

/**
 * The socket of a request that came over TLS. What it says of the connection is what the front server tells in SSL_* params
 * (Apache: `SSLOptions +StdEnvVars`), and otherwise what a TLSSocket says that does not know.
 */
class TlsExchangeSocket extends ExchangeSocket {
  encrypted = true
  /** SSL_CLIENT_VERIFY: the front server has verified the client's certificate. */
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

  /** SSL_CLIENT_CERT (PEM), as an object of Node's; `{}` without one. */
  getPeerCertificate(): object {
    return this.getPeerX509Certificate()?.toLegacyObject() ?? {}
  }

  /** SSL_CLIENT_CERT (PEM); undefined without one that can be read. */
  getPeerX509Certificate(): X509Certificate | undefined {
    const pem = this.exchange.param('SSL_CLIENT_CERT')
    if (!pem) return undefined
    try {
      // nginx's $ssl_client_cert begins each line but the first with a tab.
      return new X509Certificate(pem.replaceAll('\t', ''))
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

  getCertificate(): object | null {
    return null
  }

  getX509Certificate(): X509Certificate | undefined {
    return undefined
  }

  getEphemeralKeyInfo(): object | null {
    return null
  }

  getSharedSigalgs(): string[] {
    return []
  }

  getFinished(): Buffer | undefined {
    return undefined
  }

  getPeerFinished(): Buffer | undefined {
    return undefined
  }

  getSession(): Buffer | undefined {
    return undefined
  }

  getTLSTicket(): Buffer | undefined {
    return undefined
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

  /** The front server decides the rest. */
  setMaxSendFragment(): boolean {
    return false
  }

  disableRenegotiation(): void {}

  enableTrace(): void {}

  setServername(): void {}

  setSession(): void {}

  setKeyCert(): void {}
}

for (const name of Object.getOwnPropertyNames(TlsExchangeSocket.prototype)) {
  if (name !== 'constructor') Object.defineProperty(TlsExchangeSocket.prototype, name, { enumerable: true })
}
