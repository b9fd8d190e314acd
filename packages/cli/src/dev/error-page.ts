/** The content of an error page. */
export interface ErrorPage {
  /** What happened, in a few words. */
  title: string
  /** The error's first line. */
  heading: string
  /** The stack, or what the program printed. */
  text: string
  /** The code around the line that threw; may be empty. */
  frame?: string
  /** Shows a button that restarts the app. */
  restart?: boolean
  /** The number of the app's start that failed. The page reloads after a later start. */
  start: number
}

/** Renders the page as HTML if `accept` contains text/html, else as plain text. */
export function errorPage(page: ErrorPage, accept: string | undefined): { type: string; body: string } {
  if (accept?.includes('text/html')) return { type: 'text/html; charset=utf-8', body: html(page) }
  const { title, heading, text, frame } = page
  const parts = [title, text.startsWith(heading) ? '' : heading, frame ?? '', text]
  return { type: 'text/plain; charset=utf-8', body: `${parts.filter(Boolean).join('\n\n').trimEnd()}\n` }
}

/** Escapes text for an HTML element or attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

function html({ title, heading, text, frame, restart, start }: ErrorPage): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>
  :root { --ink: #1c1c1e; --soft: #6b6b70; --paper: #fff; --box: #f4f4f6; --line: #dcdce0; --red: #c0262d; }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #ececf0; --soft: #9a9aa2; --paper: #161618; --box: #202024; --line: #36363c; --red: #ff7b72; }
  }
  body { margin: 0 auto; max-width: 60rem; padding: 2.5rem 1.5rem; background: var(--paper); color: var(--ink);
    font: 16px/1.5 system-ui, sans-serif; }
  .title { color: var(--red); font-weight: 600; margin: 0; }
  h1 { font-size: 1.4rem; line-height: 1.35; margin: .25rem 0 1.5rem; overflow-wrap: anywhere; }
  pre { background: var(--box); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; overflow-x: auto;
    font: 13px/1.55 ui-monospace, monospace; tab-size: 2; }
  mark { display: inline-block; min-width: 100%; background: color-mix(in srgb, var(--red) 16%, transparent); color: inherit; }
  footer { color: var(--soft); font-size: .875rem; }
  a { color: inherit; }
  button { font: inherit; padding: .3rem .9rem; border: 1px solid var(--line); border-radius: 6px; background: var(--box);
    color: inherit; cursor: pointer; }
</style>
<p class="title">${escapeHtml(title)}</p>
<h1>${escapeHtml(heading)}</h1>
${frame ? `<pre>${markLine(escapeHtml(frame))}</pre>` : ''}
${text === '' ? '' : `<pre>${escapeHtml(text)}</pre>`}
${restart ? '<p><button id="restart">Restart the app</button></p>' : ''}
<footer>fcgi-bridge dev reloads this page when the app has restarted. <a href="/__fcgi">Inspector</a></footer>
<script>
  new EventSource('/__fcgi/events?only=app').addEventListener('app', (event) => {
    const { state, start } = JSON.parse(event.data)
    if (state === 'ready' && start > ${start}) location.reload()
  })
  document.getElementById('restart')?.addEventListener('click', () => fetch('/__fcgi/restart', { method: 'POST' }))
</script>
</html>
`
}

function markLine(frame: string): string {
  return frame.replace(/^&#62;.*$/m, (line) => `<mark>${line}</mark>`)
}
