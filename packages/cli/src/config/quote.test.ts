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

// tests/cli/config.test.ts tests with the real servers that they read these words as the same text.
test.each([
  ['nginx', nginxWord, '/a "b"\\c\\', '"/a \\"b\\"\\\\c\\\\"'],
  ['Apache', apacheWord, '/a "b"\\$c\\', '"/a \\"b\\"\\\\$c\\\\"'],
  ['lighttpd', lighttpdWord, '/a "b"\\c', '"/a \\"b\\"\\c"'],
  ['Caddy', caddyWord, '/a $b', '"/a $b"'],
  ['Caddy, text that needs backquotes', caddyWord, '/a "b"\\', '`/a "b"\\`'],
  ['YAML', yamlWord, '/a "b"\\', '"/a \\"b\\"\\\\"'],
  ['HAProxy', haproxyWord, "/a 'b' $c", "'/a '\\''b'\\'' $c'"],
  ['systemd', systemdWord, '/a "b" %h $c \\', '"/a \\"b\\" %%h $$c \\\\"'],
  ['systemd, a plain word', systemdWord, '/srv/app.js', '/srv/app.js'],
])('a word for %s', (_, quote, text, written) => {
  expect(quote(text)).toBe(written)
})

test('commands for mod_fcgid and lighttpd', () => {
  expect(fcgidCommand(['node', "/it's me"])).toBe("node '/it\\'s me'")
  expect(lighttpdCommand(['node', '/"me"'])).toBe('node /"me"')
})

test.each([
  ['nginx', nginxWord, '/$a', '$'],
  ['Apache', apacheWord, '/$' + '{a}', '${'],
  ['Apache', apacheFolder, '/a*', '*'],
  ['lighttpd', lighttpdWord, '/a\\', '\\ at the end'],
  ['lighttpd', (text: string) => lighttpdCommand([text]), '/a b', 'a space'],
  ['Caddy', caddyWord, '/{a}', '{'],
  ['Caddy', caddyWord, '/`"', '` together with " or \\'],
  ['Caddy', caddyFolder, '/[a]', '['],
])("%s: text that the server's syntax cannot express is rejected", (server, quote, text, what) => {
  expect(() => quote(text)).toThrow(
    `${JSON.stringify(text)}: ${server}'s config syntax cannot express ${what} here.`,
  )
})
