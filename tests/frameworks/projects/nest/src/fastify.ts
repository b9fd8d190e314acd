import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { AppModule } from './app.js'

const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: false })
await app.listen(process.env.PORT ?? 3000)
