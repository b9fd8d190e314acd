import { withListenAdvice } from '@fcgi-bridge/core/manager'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

const ADVICE = 'Add --port 9000 or --path /run/app.sock, or set FCGI_BRIDGE_LISTEN=127.0.0.1:9000.'

/** Converts an error of `listen()` to a Failure. `advice` says what to do on this command line if there is no address to listen on. */
export function listenFailure(error: unknown, advice: string = ADVICE): Failure {
  const { message } = withListenAdvice(error as Error, advice)
  return new Failure(EXIT.listen, message, { cause: error })
}
