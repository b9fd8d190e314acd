export type { FastCgiServer, ServeOptions } from '@fcgi-bridge/core'
export {
  type FastifyApp,
  type FrameworkApp,
  type HapiServer,
  type KoaApp,
  type NestApp,
  type Recognized,
  recognizeFramework,
} from './app/framework.ts'
export type { RequestListener } from './app/listener.ts'
export { toHandler } from './handler.ts'
export type { FcgiInfo } from './messages/fcgi-info.ts'
export { serve } from './serve.ts'
export { createServer, type HttpServerOptions } from './server/create-server.ts'
