import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { Scenario } from '../differential.ts'

const root = mkdtempSync(join(tmpdir(), 'express-adapter-'))
afterAll(() => rmSync(root, { recursive: true }))
mkdirSync(join(root, 'folder'))
const files: Readonly<Record<string, string | Buffer>> = {
  'hello.txt': 'Hello, range! '.repeat(10),
  'page.html': '<h1>h\u00e9</h1>',
  'empty.txt': '',
  'data.json': '{}',
  '.hidden': 'hidden',
  'folder/index.html': 'index',
  'large.bin': Buffer.alloc(700_000, 'large'),
}
for (const [name, content] of Object.entries(files)) {
  writeFileSync(join(root, name), content)
  utimesSync(join(root, name), 1_700_000_000, 1_700_000_000)
}

function fromStatic(name: string, path: string, headers: readonly string[] = [], method = 'GET'): Scenario {
  return {
    name: `static: ${name}`,
    app: (app, { express }) => app.use('/files', express.static(root)),
    drive: (client) => client.fetch({ path, headers, method }),
    trace: 'each',
  }
}

/** Files: express.static, sendFile, download; conditional requests and ranges. */
export const fileScenarios: readonly Scenario[] = [
  fromStatic('a file', '/files/hello.txt'),
  fromStatic('a file, HEAD', '/files/hello.txt', [], 'HEAD'),
  fromStatic('an empty file', '/files/empty.txt'),
  fromStatic('a large file', '/files/large.bin'),
  fromStatic('HTML', '/files/page.html'),
  fromStatic('a folder with a slash', '/files/folder/'),
  fromStatic('a folder without a slash', '/files/folder'),
  fromStatic('no such file', '/files/none.txt'),
  fromStatic('a hidden file', '/files/.hidden'),
  fromStatic('a path that goes up', '/files/..%2f..%2fetc/passwd'),
  fromStatic('a path with NUL', '/files/a%00b'),
  fromStatic('another method', '/files/hello.txt', [], 'POST'),
  fromStatic('a range', '/files/hello.txt', ['Range', 'bytes=7-11']),
  fromStatic('a range from the end', '/files/hello.txt', ['Range', 'bytes=-4']),
  fromStatic('an open range', '/files/hello.txt', ['Range', 'bytes=100-']),
  fromStatic('several ranges', '/files/hello.txt', ['Range', 'bytes=0-1,4-5']),
  fromStatic('a range beyond the end', '/files/hello.txt', ['Range', 'bytes=9999-']),
  fromStatic('a range in an unknown unit', '/files/hello.txt', ['Range', 'lines=1-2']),
  fromStatic('If-Modified-Since', '/files/hello.txt', ['If-Modified-Since', 'Wed, 15 Nov 2023 00:00:00 GMT']),
  fromStatic('If-Modified-Since, long ago', '/files/hello.txt', [
    'If-Modified-Since',
    'Thu, 01 Jan 1970 00:00:00 GMT',
  ]),
  fromStatic('If-Unmodified-Since', '/files/hello.txt', [
    'If-Unmodified-Since',
    'Thu, 01 Jan 1970 00:00:00 GMT',
  ]),
  fromStatic('If-None-Match: *', '/files/hello.txt', ['If-None-Match', '*']),
  fromStatic('If-Match', '/files/hello.txt', ['If-Match', '"other"']),
  fromStatic('If-Range', '/files/hello.txt', ['Range', 'bytes=0-4', 'If-Range', '"other"']),
  {
    name: 'sendFile and its callback',
    app: (app, kit) =>
      app.use((_, response) => {
        response.sendFile('hello.txt', { root, maxAge: 1000, headers: { 'X-A': '1' } }, (error) =>
          kit.note(`sent ${error}`),
        )
      }),
    trace: 'each',
  },
  {
    name: 'sendFile of a file that does not exist',
    app: (app, kit) =>
      app.use((_, response, next) => {
        response.sendFile('none.txt', { root }, (error) => {
          kit.note(`${(error as NodeJS.ErrnoException).code} ${(error as Error & { status: number }).status}`)
          next(error)
        })
      }),
    drive: async (client) => (await client.get()).status,
    trace: 'each',
  },
  {
    name: 'sendFile, and the client disconnects',
    app: (app, kit) =>
      app.use((_, response) => {
        response.sendFile('large.bin', { root }, (error) => {
          kit.note(`sent ${(error as NodeJS.ErrnoException)?.code}`)
          kit.gate('called back').open()
        })
      }),
    drive: async (client, kit) => {
      const exchange = client.send()
      await exchange.head
      exchange.abort()
      await kit.gate('called back').opened
    },
    trace: 'none',
  },
  {
    name: 'download',
    app: (app) =>
      app.use((_, response) => void response.download(join(root, 'data.json'), 'report \u20ac.json')),
    trace: 'each',
  },
]
