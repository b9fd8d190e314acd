import 'reflect-metadata'
import { Controller, Module, Post, UploadedFile, UseInterceptors } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FileInterceptor, type NestExpressApplication } from '@nestjs/platform-express'
import { AppController } from './app.js'

@Controller('upload')
class UploadController {
  @Post()
  @UseInterceptors(FileInterceptor('file'))
  upload(@UploadedFile() file) {
    return { name: file.originalname, bytes: file.size }
  }
}

@Module({ controllers: [AppController, UploadController] })
class AppModule {}

const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: false })
app.useStaticAssets('public')
app.enableShutdownHooks()
await app.listen(process.env.PORT ?? 3000)
