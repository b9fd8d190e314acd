import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createScriptMapping, type ScriptOptions } from './script.ts'

describe('scriptFilename: one script for every path', () => {
  test.each<[path: string, options: ScriptOptions, scriptName: string, pathInfo: string]>([
    ['/cart', {}, '/index.php', '/cart'],
    ['/', {}, '/index.php', '/'],
    ['/index.php/cart', {}, '/index.php', '/cart'],
    ['/index.php', {}, '/index.php', ''],
    ['/cart', { documentRoot: '/srv' }, '/www/index.php', '/cart'],
    ['/cart', { documentRoot: '/elsewhere' }, '/index.php', '/cart'],
    ['/shop/cart', { scriptName: '/shop' }, '/shop', '/cart'],
  ])('%s, %o', (path, options, scriptName, pathInfo) => {
    const script = createScriptMapping({ scriptFilename: '/srv/www/index.php', ...options })(path)
    expect(script).toMatchObject({
      scriptName,
      pathInfo,
      scriptFilename: '/srv/www/index.php',
      documentRoot: options.documentRoot ?? '/srv/www',
    })
  })
})

describe('splitPath with tryFiles: false', () => {
  const mapping = createScriptMapping({
    documentRoot: '/srv/www',
    splitPath: ['.php', '.phtml'],
    tryFiles: false,
  })

  test.each([
    ['/', '/index.php', ''],
    ['/blog/', '/blog/index.php', ''],
    ['/blog', '/index.php', ''],
    ['/about.php', '/about.php', ''],
    ['/about.php/more', '/about.php', '/more'],
    ['/about.php/', '/about.php', '/'],
    ['/about.PHP/more', '/about.PHP', '/more'],
    ['/old.phtml/more', '/old.phtml', '/more'],
    ['/a.php/b.php', '/a.php', '/b.php'],
    ['/about.phpx/more', '/index.php', ''],
    ['/aboutxphp', '/index.php', ''],
    ['/about\n.php/\nmore', '/about\n.php', '/\nmore'],
  ])('%j', (path, scriptName, pathInfo) => {
    expect(mapping(path)).toEqual({
      scriptName,
      pathInfo,
      documentUri: scriptName,
      documentRoot: '/srv/www',
      scriptFilename: `/srv/www${scriptName}`,
      pathTranslated: pathInfo === '' ? undefined : `/srv/www${pathInfo}`,
    })
  })
})

test('splitPath finds files whose names are not ASCII', () => {
  const root = mkdtempSync(join(tmpdir(), 'scripts-é-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'ü'))
  writeFileSync(join(root, 'ü', 'app.php'), '')
  const mapping = createScriptMapping({ documentRoot: root, splitPath: ['.php'], index: 'app.php' })
  const u = Buffer.from('ü').toString('latin1')
  expect(mapping(`/${u}/`).scriptName).toBe(`/${u}/app.php`)
  expect(mapping('/nowhere/').scriptName).toBe('/app.php')
})

test.each<[options: ScriptOptions, message: RegExp]>([
  [{ scriptName: 'shop' }, /scriptName "shop" must begin with a slash/],
  [{ scriptFilename: 'index.php' }, /scriptFilename "index.php" must be an absolute path/],
  [{ scriptFilename: '/srv/../index.php' }, /must be an absolute path without dot segments/],
  [{ splitPath: ['.php'] }, /splitPath needs documentRoot/],
  [{ splitPath: ['php'], documentRoot: '/' }, /a list of suffixes such as/],
  [{ splitPath: [], documentRoot: '/' }, /a list of suffixes such as/],
  [{ splitPath: ['.php'], documentRoot: '/', scriptName: '/shop' }, /cannot be combined with/],
  [{ splitPath: ['.php'], documentRoot: '/', index: 'a/b.php' }, /must be the name of a file/],
  [
    { splitPath: ['.php'], documentRoot: '/no/such/folder' },
    /is not a folder on this machine.*tryFiles: false/,
  ],
])('%o is refused', (options, message) => {
  expect(() => createScriptMapping(options)).toThrow(message)
})
