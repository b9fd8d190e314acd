import { expect } from 'vitest'
import { content, digest } from '../apps/content.js'
import type { Case } from './case.ts'
import { open, send } from './http.ts'

const MIB = 1024 * 1024

/** Request and response bodies. */
export const bodies: readonly Case[] = [
  {
    name: 'POST of a form',
    async run({ origin, path }) {
      const headers = ['Content-Type', 'application/x-www-form-urlencoded']
      const body = 'name=J%C3%BCrgen+X&empty=&sign=%26'
      const response = await send(origin, path('/form'), { method: 'POST', headers, body })
      expect(JSON.parse(response.text)).toEqual({ name: 'Jürgen X', empty: '', sign: '&' })
    },
  },
  {
    name: 'POST of JSON',
    async run({ origin, path }) {
      const value = { text: 'Jürgen €', list: [1, null, { deep: true }] }
      const headers = ['Content-Type', 'application/json']
      const body = JSON.stringify(value)
      const response = await send(origin, path('/json'), { method: 'POST', headers, body })
      expect(JSON.parse(response.text)).toEqual(value)
    },
  },
  {
    name: 'multipart upload',
    async run({ origin, path }) {
      const bytes = Buffer.concat([...content(300_000)])
      const form = new FormData()
      form.set('title', 'Größe')
      form.set('text', new Blob(['a small file\n'], { type: 'text/plain' }), 'small.txt')
      form.set('bytes', new Blob([bytes], { type: 'application/octet-stream' }), 'large.bin')
      const url = `http://${origin.host}:${origin.port}${path('/files')}`
      const response = await fetch(url, { method: 'POST', body: form })
      expect(await response.json()).toEqual({
        fields: { title: 'Größe' },
        files: [
          {
            field: 'text',
            name: 'small.txt',
            type: 'text/plain',
            ...(await digest([Buffer.from('a small file\n')])),
          },
          { field: 'bytes', name: 'large.bin', type: 'application/octet-stream', ...(await digest([bytes])) },
        ],
      })
    },
  },
  {
    name: 'upload of 64 MiB',
    once: true,
    async run({ origin, path }) {
      const headers = ['Content-Type', 'application/octet-stream', 'Content-Length', String(64 * MIB)]
      const body = content(64 * MIB)
      const response = await send(origin, path('/digest'), { method: 'POST', headers, body })
      expect(JSON.parse(response.text)).toEqual(await digest(content(64 * MIB)))
    },
  },
  {
    name: 'download of 64 MiB',
    once: true,
    async run({ origin, path }) {
      const incoming = await open(origin, path(`/content/${64 * MIB}`))
      expect(incoming.headers['content-length']).toBe(String(64 * MIB))
      expect(await digest(incoming)).toEqual(await digest(content(64 * MIB)))
    },
  },
  {
    name: 'a response before the end of the upload',
    async run({ origin, path }) {
      for (const length of [100_000, 4 * MIB]) {
        const headers = ['Content-Length', String(length)]
        const response = await send(origin, path('/refuse'), {
          method: 'POST',
          headers,
          body: content(length),
        })
        expect(response).toMatchObject({ status: 413, text: 'too large\n' })
        expect((await send(origin, path('/text'))).text).toBe('some text\n')
      }
    },
  },
]
