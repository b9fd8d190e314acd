import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pairs } from '@fcgi-bridge/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { findMount, type MountOption } from './mount.ts'
import { Params } from './params.ts'

const PROGRAM = '/srv/app.fcgi'

interface Given {
  target: string
  scriptName?: string
  pathInfo?: string
  file?: string
}

function mountOf(given: Given, option: MountOption, program: string | undefined = PROGRAM): string {
  const list: [string, string][] = []
  if (given.scriptName !== undefined) list.push(['SCRIPT_NAME', given.scriptName])
  if (given.pathInfo !== undefined) list.push(['PATH_INFO', given.pathInfo])
  if (given.file !== undefined) list.push(['SCRIPT_FILENAME', given.file])
  return findMount(new Params(pairs(list)), given.target, option, program)
}

const LONG_SCRIPT_NAME = '/app/sub/page'

// The params that front servers send for the request /app/sub/page?x=1 to an app at /app, and the mount for each option.
describe.each<[string, Given, { auto: string; scriptName: string }]>([
  [
    'mod_fcgid and mod_cgi, ScriptAlias',
    { target: '/app/sub/page?x=1', scriptName: '/app', pathInfo: '/sub/page', file: PROGRAM },
    { auto: '/app', scriptName: '/app' },
  ],
  [
    'mod_fcgid, a request for the mount itself: no PATH_INFO',
    { target: '/app?x=1', scriptName: '/app', file: PROGRAM },
    { auto: '/app', scriptName: '/app' },
  ],
  [
    'mod_fcgid, a script in the document root',
    { target: '/app.fcgi/sub/page', scriptName: '/app.fcgi', pathInfo: '/sub/page', file: PROGRAM },
    { auto: '/app.fcgi', scriptName: '/app.fcgi' },
  ],
  [
    'mod_fcgid, FcgidWrapper: SCRIPT_FILENAME is another file',
    { target: '/x.app/sub', scriptName: '/x.app', pathInfo: '/sub', file: '/srv/www/x.app' },
    { auto: '', scriptName: '/x.app' },
  ],
  [
    'mod_fcgid, rewritten to the root',
    { target: '/app/sub/page?x=1', scriptName: '/app.fcgi', pathInfo: '/app/sub/page', file: PROGRAM },
    { auto: '', scriptName: '' },
  ],
  [
    'mod_proxy_fcgi, SetHandler for the program that the .htaccess of the folder /app rewrites to',
    {
      target: '/app/sub/page?x=1',
      scriptName: '/app/app.fcgi',
      file: `proxy:fcgi://localhost/${PROGRAM}`,
    },
    { auto: '/app', scriptName: '/app' },
  ],
  [
    'mod_fcgid, rewritten in the .htaccess of the folder /app',
    { target: '/app/sub/page?x=1', scriptName: '/app/app.fcgi', file: PROGRAM },
    { auto: '/app', scriptName: '/app' },
  ],
  [
    'mod_fcgid, the same with the path in the new URL',
    { target: '/app/sub/page?x=1', scriptName: '/app/app.fcgi', pathInfo: '/sub/page', file: PROGRAM },
    { auto: '/app', scriptName: '/app' },
  ],
  [
    'mod_fcgid, the same for the folder itself',
    { target: '/app/', scriptName: '/app/app.fcgi', file: PROGRAM },
    { auto: '/app', scriptName: '/app' },
  ],
  [
    'mod_fcgid, rewritten to a program whose SCRIPT_NAME has two slashes',
    { target: '//sub', scriptName: '//app.fcgi', file: PROGRAM },
    { auto: '', scriptName: '' },
  ],
  [
    'mod_fcgid, rewritten from the root to a program in a folder',
    { target: '/sub/page', scriptName: '/app/app.fcgi', pathInfo: '/sub/page', file: PROGRAM },
    { auto: '', scriptName: '' },
  ],
  [
    'mod_fcgid, the same for a path that begins with the folder',
    { target: '/app/page', scriptName: '/app/app.fcgi', pathInfo: '/app/page', file: PROGRAM },
    { auto: '', scriptName: '' },
  ],
  [
    'nginx, default fastcgi_params',
    { target: '/app/sub/page?x=1', scriptName: LONG_SCRIPT_NAME },
    { auto: '', scriptName: '' },
  ],
  [
    'nginx, fastcgi_split_path_info',
    { target: '/app/sub/page?x=1', scriptName: '/app', pathInfo: '/sub/page', file: '/srv/www/app' },
    { auto: '', scriptName: '/app' },
  ],
  [
    'nginx, fastcgi_split_path_info, a request for the mount itself',
    { target: '/app', scriptName: '/app', pathInfo: '', file: '/srv/www/app' },
    { auto: '', scriptName: '/app' },
  ],
  [
    'nginx, fastcgi_split_path_info that does not match %0A',
    { target: '/app/a%0Ab', scriptName: '/app/a\nb', pathInfo: '' },
    { auto: '', scriptName: '/app/a%0Ab' },
  ],
  [
    'mod_proxy_fcgi, ProxyPass',
    {
      target: '/app/sub/page?x=1',
      scriptName: LONG_SCRIPT_NAME,
      file: 'proxy:fcgi://127.0.0.1:9000/app/sub/page',
    },
    { auto: '', scriptName: '' },
  ],
  [
    'mod_proxy_fcgi, SetHandler: split at the part of the path that exists on disk',
    {
      target: '/sub/page',
      scriptName: '/sub',
      pathInfo: '/page',
      file: 'proxy:fcgi://localhost//srv/www/sub',
    },
    { auto: '', scriptName: '/sub' },
  ],
  [
    'mod_proxy_fcgi, AliasMatch: SCRIPT_NAME is empty',
    { target: '/app/sub/page', scriptName: '', pathInfo: LONG_SCRIPT_NAME, file: 'proxy:fcgi://…/file' },
    { auto: '', scriptName: '' },
  ],
  [
    'lighttpd, "/app"',
    { target: '/app/sub/page', scriptName: '/app', pathInfo: '/sub/page', file: '/srv/www/app' },
    { auto: '', scriptName: '/app' },
  ],
  [
    'lighttpd, flup style: rewritten from the root',
    {
      target: '/aadsfasddfasdf?a=123',
      scriptName: '/tmp/est.fcgi',
      pathInfo: '/aadsfasddfasdf',
      file: '/srv/www/tmp/est.fcgi',
    },
    { auto: '', scriptName: '' },
  ],
  [
    'Caddy, php_fastcgi',
    { target: '/app/sub/page', scriptName: '/index.php', pathInfo: '', file: '/srv/www/index.php' },
    { auto: '', scriptName: '' },
  ],
  [
    'h2o: SCRIPT_NAME is empty',
    { target: '/app/sub/page', scriptName: '', pathInfo: LONG_SCRIPT_NAME },
    { auto: '', scriptName: '' },
  ],
  [
    'HAProxy',
    { target: '/app/sub/page', scriptName: LONG_SCRIPT_NAME, file: '/srv/www/app/sub/page' },
    { auto: '', scriptName: '' },
  ],
])('the mount with the params of %s', (_, given, expected) => {
  it('with auto', () => expect(mountOf(given, 'auto')).toBe(expected.auto))
  it('with script-name', () => expect(mountOf(given, 'script-name')).toBe(expected.scriptName))
  it('with none', () => expect(mountOf(given, 'none')).toBe(''))
  it('with /app', () => {
    expect(mountOf(given, '/app')).toBe(/^\/app(?:[/?]|$)/.test(given.target) ? '/app' : '')
  })
})

// The params are those of mod_fcgid: SCRIPT_NAME and PATH_INFO are decoded, `//` is merged, and dot segments are resolved.
describe('the mount is the beginning of the target, not decoded', () => {
  it.each<[target: string, scriptName: string, pathInfo: string | undefined, mount: string]>([
    ['/shop', '/shop', undefined, '/shop'],
    ['/shop/', '/shop', '/', '/shop'],
    ['/shop?/x', '/shop', undefined, '/shop'],
    ['/shop/a%20b/%C3%A9', '/shop', '/a b/\u00c3\u00a9', '/shop'],
    ['/my%20shop/cart', '/my shop', '/cart', '/my%20shop'],
    ['/%73hop/cart', '/shop', '/cart', '/%73hop'],
    ['/a/b/cart', '/a/b', '/cart', '/a/b'],
    ['/shop//cart', '/shop', '/cart', '/shop'],
    ['/shop//cart', '/shop', '//cart', '/shop'],
    ['//shop/cart', '/shop', '/cart', '//shop'],
    ['/shop/./cart', '/shop', '/cart', '/shop'],
    ['/./shop/cart', '/shop', '/cart', '/./shop'],
    ['/shop/a%2F%2Fb', '/shop', '/a/b', '/shop'],
    ['/shop/a%20b/.//c', '/shop', '/a b/.//c', '/shop'],
    ['/shop/a/../cart', '/shop', '/cart', '/shop'],
    ['/shop/a/..', '/shop', '/', '/shop'],
    ['/x/../shop/cart', '/shop', '/cart', '/x/../shop'],
    ['/shop/%2e%2e/shop/cart', '/shop', '/cart', '/shop/%2e%2e/shop'],
    ['/shop/a%2Fb', '/shop', '/a/b', '/shop'],
    ['/a%2Fshop/cart', '/a/shop', '/cart', '/a%2Fshop'],
    ['/a/shop/../shop/./cart/', '/a/shop', '/cart/', '/a/shop/../shop'],
    ['/../shop/cart', '/shop', '/cart', '/../shop'],
    // Apache with `AllowEncodedSlashes NoDecode`
    ['/shop/a%2Fb%20c', '/shop', '/a%2Fb c', '/shop'],
    ['/shop/shop/x', '/shop', '/shop/x', '/shop'],
    ['/shop/100%', '/shop', '/100%', '/shop'],

    // SCRIPT_NAME is not certain to be the mount, so there is none.
    ['/shopping/cart', '/shop', 'ping/cart', ''],
    ['/shop/cart', '/shop', '/other', ''],
    ['/shop/cart', '/shop', undefined, ''],
    ['/Shop/cart', '/shop', '/cart', ''],
    ['/other', '/shop', '/cart', ''],
    ['/shop/../cart', '/shop', '/cart', ''],
    ['/x/shop/../cart', '/shop', '/cart', ''],
    ['/', '/', undefined, ''],
    ['/cart', '', '/cart', ''],
    ['*', '/shop', '', ''],
  ])('%s under %s with %j: %j', (target, scriptName, pathInfo, mount) => {
    const given: Given = { target, scriptName, file: PROGRAM }
    if (pathInfo !== undefined) given.pathInfo = pathInfo
    expect(mountOf(given, 'auto')).toBe(mount)
    expect(target.startsWith(mount)).toBe(true)
  })
})

describe('an explicit prefix', () => {
  it.each<[target: string, option: MountOption, mount: string]>([
    ['/shop/cart', '/shop', '/shop'],
    ['/shop/cart', '/shop/', '/shop'],
    ['/shop', '/shop', '/shop'],
    ['/shop?x', '/shop', '/shop'],
    ['/shopping', '/shop', ''],
    ['/sh%6Fp/x', '/shop', '/sh%6Fp'],
    ['//shop//cart', '/shop', '//shop'],
    ['/shop/../admin', '/shop', ''],
    ['/shop/../shop/x', '/shop', '/shop/../shop'],
    ['/anything', '/', ''],
    ['/a/b/c', '/a//b/', '/a/b'],
    ['/shop/x/../../admin/../shop', '/shop', '/shop/x/../../admin/../shop'],
    ['/cart?from=/shop', '/shop', ''],
    ['*', '/shop', ''],
  ])('%s with %s: %j', (target, option, mount) => {
    expect(mountOf({ target }, option)).toBe(mount)
  })
})

describe('a long malicious path', () => {
  it.each([
    ['slashes', `${'/'.repeat(200_000)}x`],
    ['dot segments', '/./..'.repeat(50_000)],
    ['segments and `..`', '/shop/..'.repeat(30_000)],
    ['escapes', `/${'%2F'.repeat(70_000)}`],
    ['slashes at the end', `/x${'/'.repeat(200_000)}`],
  ])('of %s is handled in linear time', (_, path) => {
    expect(mountOf({ target: path, scriptName: '/shop', pathInfo: '/', file: PROGRAM }, 'auto')).toBe('')
    expect(mountOf({ target: path }, '/shop')).toBe('')
    expect(mountOf({ target: `${path}/shop`, scriptName: path, file: PROGRAM }, 'script-name')).toBeDefined()
  })
})

describe('SCRIPT_FILENAME', () => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'mount-')))
  afterAll(() => rmSync(directory, { recursive: true }))
  const program = join(directory, 'server.js')
  writeFileSync(program, '')

  it('can be a symbolic link to the running program', () => {
    const link = join(directory, '\u00e9.fcgi')
    symlinkSync(program, link)
    const file = Buffer.from(link).toString('latin1')
    const given = { target: '/app/x', scriptName: '/app', pathInfo: '/x', file }
    expect(mountOf(given, 'auto', program)).toBe('/app')
    expect(mountOf(given, 'auto', join(directory, 'other.js'))).toBe('')
    expect(mountOf(given, 'auto', undefined)).toBe('')
  })

  it('is looked up on disk for a limited number of files, not for every URL', () => {
    for (let i = 0; i < 100; i++) {
      const given = {
        target: `/app${i}/x`,
        scriptName: `/app${i}`,
        pathInfo: '/x',
        file: `${directory}/app${i}`,
      }
      expect(mountOf(given, 'auto', program)).toBe('')
    }
    const link = join(directory, 'late.fcgi')
    symlinkSync(program, link)
    const late = { target: '/app/x', scriptName: '/app', pathInfo: '/x', file: link }
    expect(mountOf(late, 'auto', program)).toBe('')
    expect(mountOf({ ...late, file: program }, 'auto', program)).toBe('/app')
  })
})
