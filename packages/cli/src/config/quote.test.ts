import { expect, test } from 'vitest'
import {
  apacheFolder,
  apacheWord,
  caddyFolder,
  caddyWord,
  fcgidCommand,
  haproxyWord,
  lighttpdCommand,
  lighttpdWord,
  nginxWord,
  systemdWord,
  yamlWord,
} from './quote.ts'

// That the servers read them so is proved in tests/cli/config.test.ts.
test.each([
  ['nginx', nginxWord, '/a "b"\\c\\', '"/a \\"b\\"\\\\c\\\\"'],
  ['Apache', apacheWord, '/a "b"\\$c\\', '"/a \\"b\\"\\\\$c\\\\"'],
  ['lighttpd', lighttpdWord, '/a "b"\\c', '"/a \\"b\\"\\c"'],
  ['Caddy', caddyWord, '/a $b', '"/a $b"'],
  ['Caddy, where quotes do not do', caddyWord, '/a "b"\\', '`/a "b"\\`'],
  ['YAML', yamlWord, '/a "b"\\', '"/a \\"b\\"\\\\"'],
  ['HAProxy', haproxyWord, "/a 'b' $c", "'/a '\\''b'\\'' $c'"],
  ['systemd', systemdWord, '/a "b" %h $c \\', '"/a \\"b\\" %%h $$c \\\\"'],
  ['systemd, a plain word', systemdWord, '/srv/app.js', '/srv/app.js'],
])('%s', (_, quote, text, written) => {
  expect(quote(text)).toBe(written)
})

test('commands', () => {
  expect(fcgidCommand(['node', "/it's me"])).toBe("node '/it\\'s me'")
  expect(lighttpdCommand(['node', '/"me"'])).toBe('node /"me"')
})

test.each([
  ['nginx', nginxWord, '/$a', '$'],
  ['Apache', apacheWord, '/$' + '{a}', '${'],
  ['Apache', apacheFolder, '/a*', '*'],
  ['lighttpd', lighttpdWord, '/a\\', '\\ at the end'],
  ['lighttpd', (text: string) => lighttpdCommand([text]), '/a b', 'a blank'],
  ['Caddy', caddyWord, '/{a}', '{'],
  ['Caddy', caddyWord, '/`"', '` beside " or \\'],
  ['Caddy', caddyFolder, '/[a]', '['],
])('%s has no way to write %s', (server, quote, text, what) => {
  expect(() => quote(text)).toThrow(
    `${JSON.stringify(text)}: ${server}'s config has no way to write ${what} in this place.`,
  )
})
