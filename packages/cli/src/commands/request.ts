import { type Command, InvalidArgumentError, Option } from 'commander'
import { addAddress } from '../app-address.ts'
import type { RequestCommandFlags, RequestTarget } from '../examine/request.ts'
import { addRequestFlags, parseMountPath, parseTarget } from '../request-flags.ts'

const HELP = `
Exit status: 0 for any complete response (with --fail, below 400 only), 5 if no server responds, 6 if the response is invalid or
breaks off. The response body is printed unchanged, as it arrives.

Examples:
  fcgi-bridge request 9000 /cart?x=1 -i
  fcgi-bridge request /run/app.sock https://shop.example/login -X PUT -H 'Content-Type: application/json' --body @user.json
  fcgi-bridge request /run/php/php-fpm.sock / --params SCRIPT_FILENAME=/srv/www/index.php --stderr`

/** Adds `fcgi-bridge request`, which sends one request to an app, as curl does for HTTP. */
export function addRequest(program: Command): void {
  const command = program
    .command('request')
    .description('send one request to a FastCGI app and print the response')
  addAddress(command).addArgument(
    command
      .createArgument('[path]', 'path and query, or the URL that the app sees: https://shop.example/cart')
      .argParser(parseUrl)
      .default({ origin: 'http://localhost', path: '/' }, '/'),
  )
  addRequestFlags(command, 60)
    .addOption(
      new Option('-X, --method <method>', 'default: GET, or POST with --body').argParser(parseMethod),
    )
    .option('--body <text>', 'request body; @file reads a file, @- standard input (without a length)')
    .addOption(
      new Option('--mount <path>', "SCRIPT_NAME: where the app is below the site's root, such as /shop")
        .argParser(parseMountPath)
        .default('', 'the root'),
    )
    .option('-i, --include', 'print the response head, too')
    .option('--stderr', 'print what the app writes to FCGI_STDERR, on standard error')
    .option('-v, --verbose', 'print the params and the records, on standard error')
    .option('-o, --output <file>', 'write the response to a file')
    .option('-f, --fail', 'exit with status 6 if the response status is 400 or more')
    .option('--json', 'print the response as JSON')
    .addHelpText('after', HELP)
    .action(async (address, target: RequestTarget, flags: RequestCommandFlags) => {
      // Loaded on use, so that other commands start faster.
      const { sendRequest } = await import('../examine/request.ts')
      await sendRequest(address, target, flags)
    })
}

function parseUrl(text: string): RequestTarget {
  const [, origin, path] = /^(https?:\/\/[^/?#\s]+)(.*)$/i.exec(text) ?? []
  if (origin === undefined) return { origin: 'http://localhost', path: parseTarget(text) }
  if (!URL.canParse(origin)) throw new InvalidArgumentError('It takes a path, or a URL.')
  return { origin, path: parseTarget(path!.startsWith('/') ? path! : `/${path}`) }
}

function parseMethod(text: string): string {
  if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(text)) throw new InvalidArgumentError('It takes a method such as PUT.')
  if (text === 'CONNECT') throw new InvalidArgumentError('FastCGI has no way to tunnel. Give another method.')
  return text
}
