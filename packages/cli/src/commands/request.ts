import { type Command, InvalidArgumentError, Option } from 'commander'
import { addAddress } from '../app-address.ts'
import type { RequestCommandFlags, RequestTarget } from '../examine/request.ts'
import { addRequestFlags, parseMountPath, parseTarget } from '../request-flags.ts'

const HELP = `
Status 0 when there is an answer, whatever its status is, unless --fail is given; 5 when nobody answers, 6 when the answer is no
good one, or breaks off. The body of the answer is printed as it comes, byte by byte.

Examples:
  fcgi-bridge request 9000 /cart?x=1 -i
  fcgi-bridge request /run/app.sock https://shop.example/login -X PUT -H 'Content-Type: application/json' --body @user.json
  fcgi-bridge request /run/php/php-fpm.sock / --params SCRIPT_FILENAME=/srv/www/index.php --stderr`

/** Adds `fcgi-bridge request`: one request to an app, as curl does it for HTTP. */
export function addRequest(program: Command): void {
  const command = program
    .command('request')
    .description('send one request to a FastCGI app, print the answer')
  addAddress(command).addArgument(
    command
      .createArgument('[path]', 'path and query, or the URL that the app is told: https://shop.example/cart')
      .argParser(parseUrl)
      .default({ origin: 'http://localhost', path: '/' }, '/'),
  )
  addRequestFlags(command, 60)
    .addOption(
      new Option('-X, --method <method>', 'default: GET, or POST with --body').argParser(parseMethod),
    )
    .option('--body <text>', '@file: what is in a file; @-: standard input, without a length')
    .addOption(
      new Option('--mount <path>', "SCRIPT_NAME: where the app is below the site's root, such as /shop")
        .argParser(parseMountPath)
        .default('', 'the root'),
    )
    .option('-i, --include', "print the answer's head, too")
    .option('--stderr', 'print what the app writes to FCGI_STDERR, on standard error')
    .option('-v, --verbose', 'print the params and the records, on standard error')
    .option('-o, --output <file>', 'write the answer to a file')
    .option('-f, --fail', 'status 6 where the answer has 400 or more')
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', HELP)
    .action(async (address, target: RequestTarget, flags: RequestCommandFlags) => {
      // Not before it is wanted: other commands start faster without it.
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
  if (text === 'CONNECT') throw new InvalidArgumentError('FastCGI has no way to tunnel.')
  return text
}
