import 'reflect-metadata'
import { Controller, Get, type INestApplication, Module, Req } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'

class Greeter {
  greet(request: { url: string }): string {
    return `hello ${request.url}`
  }
}

class App {}

// Node strips types but does not support decorators, so apply them by hand.
Controller()(Greeter)
const method = Object.getOwnPropertyDescriptor(Greeter.prototype, 'greet')!
Get('a')(Greeter.prototype, 'greet', method)
Req()(Greeter.prototype, 'greet', 0)
Module({ controllers: [Greeter] })(App)

/** Creates a Nest app with the route /a. It is not initialized. */
export function makeNestApp(): Promise<INestApplication> {
  return NestFactory.create(App, { logger: false })
}
