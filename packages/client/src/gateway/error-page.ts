import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'

// What happened, for whoever has no more to do with the application than to use it.
const MEANINGS: Readonly<Record<number, string>> = {
  400: 'This request can not be handed on to the application.',
  403: 'The application names a file that must not be sent.',
  404: 'The application names a file that is not there.',
  411: 'The application needs to know the length of the request body: send a Content-Length.',
  412: 'The file is another one than this request is about.',
  416: 'The file does not have the range that was asked for.',
  500: 'The answer of the application could not be carried out.',
  501: 'This request can not be handed on to the application.',
  502: 'The application behind this gateway gave no usable answer.',
  503: 'The application behind this gateway is busy. Try again later.',
  504: 'The application behind this gateway did not answer in time.',
}

/** Answers with a page of the gateway's own: HTML for browsers, else plain text. `details` are paragraphs below what it means. */
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
