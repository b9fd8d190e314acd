// A Nest app that stores the user of each request with nestjs-cls.
import 'reflect-metadata'
import { setTimeout } from 'node:timers/promises'
import { All, Controller, Inject, Module, Req } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express'
import type { Request, RequestHandler } from 'express'
import { ClsModule, ClsService } from 'nestjs-cls'

class Visits {
  readonly cls: ClsService

  constructor(cls: ClsService) {
    this.cls = cls
  }

  async visit(request: Request): Promise<unknown> {
    const early = this.cls.get<string | undefined>('user')
    await setTimeout(1)
    return { visit: request.get('x-visit'), names: [early, this.cls.get('user')] }
  }
}

// Decorators are called as functions, because Node only strips types.
Inject(ClsService)(Visits, undefined, 0)
Req()(Visits.prototype, 'visit', 0)
All()(Visits.prototype, 'visit', Object.getOwnPropertyDescriptor(Visits.prototype, 'visit')!)
Controller()(Visits)

/**
 * Creates the app. `app` is its Express app. `before()` returns the user, or `'a context'`, if a context of a request is active where it is
 * called, and null otherwise. `close()` ends the Nest app.
 */
export async function nestClsApp(
  useEnterWith: boolean,
): Promise<{ app: RequestHandler; before: () => unknown; close: () => Promise<void> }> {
  class App {}
  Module({
    imports: [
      ClsModule.forRoot({
        middleware: {
          mount: true,
          useEnterWith,
          setup: (cls, request: Request) => {
            const name = request.get('x-user')
            if (name !== undefined) cls.set('user', name)
          },
        },
      }),
    ],
    controllers: [Visits],
  })(App)
  const adapter = new ExpressAdapter()
  const nest = await NestFactory.create<NestExpressApplication>(App, adapter, { logger: false })
  await nest.init()
  const cls = nest.get(ClsService)
  return {
    app: adapter.getInstance(),
    before: () => (cls.isActive() ? (cls.get('user') ?? 'a context') : null),
    close: () => nest.close(),
  }
}
