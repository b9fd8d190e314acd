export type { FastCgiServer, ServeOptions } from '@fcgi-bridge/core'
export type { FcgiInfo } from './fcgi.ts'
export {
  type FastifyApp,
  type FrameworkApp,
  type HapiServer,
  type KoaApp,
  type NestApp,
  type Recognized,
  recognizeFramework,
} from './framework.ts'
export { toHandler } from './handler.ts'
export type { RequestListener } from './listener.ts'
export { serve } from './serve.ts'
export { createServer, type HttpServerOptions } from './server/create-server.ts'
