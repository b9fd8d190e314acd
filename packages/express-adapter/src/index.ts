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
export { type RequestListener, toHandler } from './handler.ts'
export { serve } from './serve.ts'
