import 'reflect-metadata'
import { resolve } from 'node:path'
import multipart from '@fastify/multipart'
import { Controller, Module, Post, Req } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { AppController } from './app.js'

@Controller('upload')
class UploadController {
  @Post()
  async upload(@Req() request) {
    const file = await request.file({ limits: { fileSize: 10_000_000 } })
    return { name: file.filename, bytes: (await file.toBuffer()).length }
  }
}

@Module({ controllers: [AppController, UploadController] })
class AppModule {}

const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter(), {
  logger: false,
})
await app.register(multipart)
app.useStaticAssets({ root: resolve('public') })
await app.listen(process.env.PORT ?? 3000)
