import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'

// What each status means to a user of the application.
const MEANINGS: Readonly<Record<number, string>> = {
  400: 'The gateway cannot forward this request to the application.',
  403: 'The application refers to a file that the gateway must not send.',
  404: 'The application refers to a file that does not exist.',
  411: 'The application needs to know the length of the request body: send a Content-Length.',
  412: 'The file does not meet the conditions of this request.',
  416: 'The file does not have the requested range.',
  500: 'The gateway could not process the response of the application.',
  501: 'The gateway cannot forward this request to the application.',
  502: 'The application behind this gateway sent no valid response.',
  503: 'The application behind this gateway is busy. Try again later.',
  504: 'The application behind this gateway did not respond in time.',
}

/**
 * Responds with an error page of the gateway: HTML for browsers, plain text otherwise. `details` are further paragraphs of the page.
 */
export function sendErrorPage(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  details: readonly string[],
): void {
  const title = `${status} ${STATUS_CODES[status]}`
  const paragraphs = [MEANINGS[status]!, ...details]
  const isHtml = request.headers.accept?.includes('text/html') === true
  const page = Buffer.from(isHtml ? html(title, paragraphs) : `${[title, ...paragraphs].join('\n\n')}\n`)
  response.writeHead(status, {
    'Content-Type': `text/${isHtml ? 'html' : 'plain'}; charset=utf-8`,
    'Content-Length': page.length,
    'Cache-Control': 'no-store',
  })
  response.end(request.method === 'HEAD' ? undefined : page)
}

function html(title: string, paragraphs: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 12vh auto; padding: 0 1rem; overflow-wrap: anywhere }</style>
<h1>${title}</h1>
${paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`).join('\n')}
</html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
