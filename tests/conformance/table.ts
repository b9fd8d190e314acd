import type { Check, Result } from '@fcgi-bridge/conformance'

/** A result as `fcgi-bridge conformance --json` prints it. */
export type Row = Omit<Check, 'run'> & { verdict: Result['verdict'] }

const CELLS = { pass: '✓', fail: '**✗**', 'not-applicable': '–' } as const

const HEAD = `# Conformance results

\`npm run conformance\` writes this file, and \`npm test\` compares it with the behaviour of the servers. ✓: met. **✗**: not met. –: does
not apply. Run \`fcgi-bridge conformance\` for the details of a failure.

Each server runs an app that uses it as its documentation describes (examples/conformance). With libfcgi, the app must omit the body for
HEAD, and compare the size of the request body with CONTENT_LENGTH. node-fastcgi and libfcgi are restarted if a check has
crashed them. Versions: PHP-FPM 8.2, libfcgi 2.4.2 and Go 1.19, from Debian 12; node-fastcgi 2.0.0.
In about one of forty runs, Go also fails \`abort/in-stdin\`: its app responds to the aborted request, with a second END_REQUEST.
`

/** The document with the results of each server, by its name. */
export function resultsDocument(columns: ReadonlyMap<string, readonly Row[]>): string {
  const names = [...columns.keys()]
  const [first = []] = columns.values()
  const cells = (id: string): string[] =>
    names.map((name) => CELLS[columns.get(name)!.find((row) => row.id === id)!.verdict])
  return [
    HEAD,
    ...table(['', ...names], [...totals(columns)]),
    '',
    ...areasOf(first).flatMap((area) => [
      `## ${area}`,
      '',
      ...table(
        ['', 'requirement', '', ...names],
        first
          .filter(({ id }) => id.startsWith(`${area}/`))
          .map(({ id, requirement, level, section }) => [
            `\`${id.slice(area.length + 1)}\``,
            requirement,
            `${level}, ${section}`,
            ...cells(id),
          ]),
      ),
      '',
    ]),
  ].join('\n')
}

/** Reads from such a document each server's verdicts by check id. */
export function verdictsIn(document: string): Map<string, Map<string, Row['verdict']>> {
  const columns = new Map<string, Map<string, Row['verdict']>>()
  const verdicts = new Map(
    Object.entries(CELLS).map(([verdict, cell]) => [cell as string, verdict as Row['verdict']]),
  )
  for (const section of document.split('\n## ').slice(1)) {
    const [area, ...lines] = section.split('\n')
    const [head = [], , ...rows] = lines.filter((line) => line.startsWith('|')).map(cellsOf)
    for (const [id, , , ...cells] of rows) {
      for (const [index, name] of head.slice(3).entries()) {
        const column = columns.get(name) ?? new Map()
        columns.set(name, column.set(`${area}/${id!.replaceAll('`', '')}`, verdicts.get(cells[index]!)!))
      }
    }
  }
  return columns
}

function cellsOf(line: string): string[] {
  return line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
}

function* totals(columns: ReadonlyMap<string, readonly Row[]>): Generator<string[]> {
  const lines: [string, (row: Row) => boolean][] = [
    ['met', ({ verdict }) => verdict === 'pass'],
    ['not met, must', ({ verdict, level }) => verdict === 'fail' && level === 'must'],
    ['not met, should', ({ verdict, level }) => verdict === 'fail' && level === 'should'],
    ['does not apply', ({ verdict }) => verdict === 'not-applicable'],
  ]
  for (const [name, test] of lines) {
    yield [name, ...[...columns.values()].map((rows) => String(rows.filter(test).length))]
  }
}

function areasOf(rows: readonly Row[]): string[] {
  return [...new Set(rows.map(({ id }) => id.slice(0, id.indexOf('/'))))]
}

/** Pads cells to the width of their column, as the formatter does. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, i) => Math.max(3, ...[head, ...rows].map((cells) => cells[i]!.length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)]
}
