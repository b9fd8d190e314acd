import { readFile } from 'node:fs/promises'
import express from 'express'

const app = express()
const isProduction = process.env.NODE_ENV === 'production'
const vite = isProduction
  ? undefined
  : await (await import('vite')).createServer({
      server: { middlewareMode: true, hmr: false, ws: false, allowedHosts: ['app.test'] },
      appType: 'custom',
    })

app.use(vite ? vite.middlewares : express.static('dist/client', { index: false }))
app.use(async (request, response) => {
  const file = await readFile(isProduction ? 'dist/client/index.html' : 'index.html', 'utf8')
  const template = vite ? await vite.transformIndexHtml(request.originalUrl, file) : file
  const { render } = await (vite ? vite.ssrLoadModule('/src/server.js') : import('./dist/server/server.js'))
  response.type('html').send(template.replace('<!--app-->', render(request.originalUrl)))
})

app.listen(Number(process.env.PORT ?? 5173))
