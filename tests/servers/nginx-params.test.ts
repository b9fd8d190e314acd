// nginx configurations that override a param by repeating it after `include fastcgi_params`.
import { expect, test } from 'vitest'
import { send } from '../support/cases/http.ts'
import { sendRaw } from '../support/cases/raw-http.ts'
import { startNginx } from '../support/fronts/nginx.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

let site: Site
siteForEachTest((taken) => {
  site = taken
})

test('HTTP_HOST: Debian sends only the name, $http_host is what the client sent', async () => {
  const port = await startWith('fastcgi_param HTTP_HOST $http_host;')
  const host = `Front.Test:${port}`
  const { status, text } = await send({ host: '127.0.0.1', port }, '/echo', { headers: ['Host', host] })
  expect([status, JSON.parse(text).headers.host]).toEqual([200, host])

  // HTTP/1.0 without Host: the last value is empty.
  const old = await sendRaw({ host: '127.0.0.1', port }, 'GET /echo HTTP/1.0\r\n\r\n')
  expect(old.status).toBe(200)
  expect(JSON.parse(old.text).headers).not.toHaveProperty('host')

  // A host that is invalid in a URL is still rejected.
  const bad = await send({ host: '127.0.0.1', port }, '/echo', { headers: ['Host', 'front.test:99999'] })
  expect(bad).toMatchObject({ status: 400, text: '400 Bad Request\n' })
  await site.logged('FastCGI sent in stderr: "Request refused with status 400 (FCGI_ERR_AUTHORITY): ')
})

test('CONTENT_LENGTH: a body that nginx does not forward has no length', async () => {
  const port = await startWith('fastcgi_pass_request_body off; fastcgi_param CONTENT_LENGTH "";')
  const { status, text } = await send({ host: '127.0.0.1', port }, '/echo', { method: 'POST', body: 'hello' })
  expect([status, JSON.parse(text)]).toMatchObject([200, { length: 0 }])
  expect(JSON.parse(text).headers).not.toHaveProperty('content-length')
})

async function startWith(settings: string): Promise<number> {
  const { at } = await site.startApp('express', site.path('express.sock'))
  const [port] = await startNginx(
    site,
    1,
    ([port]) => `
      server {
        listen 127.0.0.1:${port};
        location / {
          include /etc/nginx/fastcgi_params;
          ${settings}
          fastcgi_pass unix:${'path' in at ? at.path : ''};
        }
      }`,
  )
  return port!
}
