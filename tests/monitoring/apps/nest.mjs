import 'reflect-metadata'
import { Controller, Get, HttpCode, Module, Param, Post, Res } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { serveListener } from './serve.mjs'

class AppController {
  hello(name) {
    return `hello ${name}`
  }

  items() {
    return 'made'
  }

  stream(response) {
    response.write('one,')
    setImmediate(() => response.end('two'))
  }

  fails() {
    throw new Error('broken')
  }
}

// The output of TypeScript for decorators.
function decorate(method, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(AppController.prototype, method)
  for (const decorator of decorators) decorator(AppController.prototype, method, descriptor)
}
decorate('hello', Get('hello/:name'))
Param('name')(AppController.prototype, 'hello', 0)
decorate('items', Post('items'), HttpCode(201))
decorate('stream', Get('stream'))
Res()(AppController.prototype, 'stream', 0)
decorate('fails', Get('fails'))
Controller()(AppController)

class AppModule {}
Module({ controllers: [AppController] })(AppModule)

const app = await NestFactory.create(AppModule, { logger: false })
await app.init()
await serveListener(app.getHttpAdapter().getInstance())
