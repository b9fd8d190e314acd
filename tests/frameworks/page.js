// Writes docs/frameworks.md from the table of the programs that the tests run.

import { FEATURES, shows } from './features.js'
import { NOTES } from './programs/notes.js'
import { PROGRAMS } from './programs.js'
import { PROJECTS } from './projects.js'

const INTRO = `# Frameworks

Programs that were written for HTTP run unchanged over FastCGI. \`npm run test:frameworks\` runs each program on this page, in production
mode and without a line of FastCGI in it, behind nginx on a Unix socket with kept connections. Its responses are compared with those of its
own HTTP server: pages, files, forms, event streams, uploads, redirects, cookies, errors and conditional requests.

This page is generated from the table of these tests (\`npm run docs:frameworks\`), so it lists only what was tested.

## Start any of them

\`\`\`sh
npm install fcgi-bridge
FCGI_BRIDGE_LISTEN=/run/app/app.sock node --import fcgi-bridge/register server.js
\`\`\`

\`npx fcgi-bridge serve server.js --path /run/app/app.sock\` does the same, and can run several workers. Modules that only export a
fetch handler need \`serve\`. Print the configuration of the web server:

\`\`\`sh
npx fcgi-bridge config nginx server.js --server-name example.com --socket /run/app/app.sock
\`\`\`

- **The socket**: create its folder first. Only the app's user and group can connect, so add the web server's user to that group.
- **Static files**: \`config\` recognizes the folders of Next.js, Nuxt, SvelteKit, Astro, React Router and TanStack Start. The web server
  serves them, and browsers keep files with a hash in their names for a year.
- **\`X-Forwarded-*\`**: frameworks know the client's address, the scheme and the host without these headers. Some libraries read only
  headers. \`config … --forwarded-headers\` makes nginx, Apache, Caddy or HAProxy send \`X-Forwarded-For\`, \`X-Forwarded-Proto\` and
  \`X-Forwarded-Host\`, and drop those that a client sends.
- **Not over FastCGI**: WebSocket, and therefore hot module replacement.

## Started by Apache's mod_fcgid

\`\`\`sh
#!/bin/sh
export PORT=3000
cd /srv/app && exec node --import fcgi-bridge/register server.js
\`\`\`

mod_fcgid passes no environment variable but \`PATH\`, and starts programs in the folder of the script. Frameworks read files from the
working directory, so change to the folder of the program. mod_fcgid starts several processes, which share no memory.
`

const TESTED = `## What is tested of each

**files** are those that the program serves itself. **conditional** requests have \`If-None-Match\`, \`If-Modified-Since\` or \`Range\`. **streams**
are event streams: the client disconnects, and the program must detect it. An empty cell means that the framework has no such feature, or leaves
it to the web server or to the library on which the program is built.
`

/** Returns the text of the page. */
export function frameworksPage() {
  const parts = [INTRO, '## Tested programs\n', table(), TESTED, featureTable(), ...PROGRAMS.map(section)]
  return `${parts.join('\n').trimEnd()}\n`
}

function table() {
  const rows = PROGRAMS.map((program) => [
    `[${program.name}](#${anchor(notesOf(program).title)})`,
    versions(program),
    PROJECTS[program.project].newestNode ? 'newest' : 'oldest',
    program.isStartedByApache ? 'nginx, mod_fcgid' : 'nginx',
  ])
  return markdownTable(['program', 'version', 'Node', 'tested with'], rows)
}

function featureTable() {
  const rows = PROGRAMS.map((program) => [
    program.name,
    ...FEATURES.map((feature) => (shows(program, feature) ? 'yes' : '')),
  ])
  return markdownTable(['program', ...FEATURES], rows)
}

function markdownTable(head, rows) {
  // The linter formats Markdown, and aligns the columns.
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((cells) => cells[column].length)))
  const line = (cells, fill) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column], fill)).join(' | ')} |\n`
  return [
    line(head, ' '),
    line(
      head.map(() => ''),
      '-',
    ),
    ...rows.map((cells) => line(cells, ' ')),
  ].join('')
}

function section(program) {
  const { title, build, start, about = [] } = notesOf(program)
  const command = start.startsWith('fcgi-bridge ')
    ? `npx ${start} --path /run/app/app.sock`
    : preloaded(start)
  const lines = build === undefined ? command : `${build}\n${command}`
  const items = about.map((item) => `- ${item}\n`).join('')
  return `## ${title}\n\n\`\`\`sh\n${lines}\n\`\`\`\n${items === '' ? '' : `\n${items}`}`
}

function preloaded(start) {
  return `FCGI_BRIDGE_LISTEN=/run/app/app.sock node --import fcgi-bridge/register ${start}`
}

function notesOf({ name }) {
  const notes = NOTES[name]
  if (notes === undefined) throw new Error(`tests/frameworks/programs/notes.js has no notes of ${name}.`)
  return notes
}

// The package of the program itself comes first in its list.
function versions({ project, versionsOf }) {
  const { packages } = PROJECTS[project]
  return versionsOf.map((name) => `${name} ${packages[name]}`).join(', ')
}

// The anchor that GitHub gives a heading.
function anchor(title) {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} -]/gu, '')
    .replaceAll(' ', '-')
}
