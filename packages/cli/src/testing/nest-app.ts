import 'reflect-metadata'
import { Controller, Get, type INestApplication, Module, Req } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'

class Greeter {
  greet(request: { url: string }): string {
    return `hello ${request.url}`
  }
}

class App {}

// Node strips types, and takes no decorators.
Controller()(Greeter)
const method = Object.getOwnPropertyDescriptor(Greeter.prototype, 'greet')!
Get('a')(Greeter.prototype, 'greet', method)
Req()(Greeter.prototype, 'greet', 0)
Module({ controllers: [Greeter] })(App)

/** A Nest app that greets at /a, and is not initialized. */
export function makeNestApp(): Promise<INestApplication> {
  return NestFactory.create(App, { logger: false })
}
