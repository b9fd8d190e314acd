import {
  Body,
  Controller,
  Get,
  Header,
  HttpException,
  Post,
  Redirect,
  Req,
  Sse,
  StreamableFile,
} from '@nestjs/common'
import { finalize, interval, map, startWith } from 'rxjs'

let disconnects = 0

/** All routes but the upload, for which each platform has its own way. */
@Controller()
export class AppController {
  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  home() {
    return '<!doctype html><title>NestJS</title>'
  }

  @Get('client')
  client(@Req() { ip, protocol, hostname, originalUrl }) {
    return { ip, protocol, hostname, originalUrl }
  }

  @Post('form')
  @Redirect('/hello', 303)
  @Header('Set-Cookie', 'name=Zoe; Path=/')
  form(@Body() { name }) {
    return { url: `/hello?name=${name}`, statusCode: 303 }
  }

  @Get('hello')
  hello(@Req() { headers }) {
    return `hello ${headers.cookie}`
  }

  @Post('json')
  json(@Body() body) {
    return body
  }

  @Get('file')
  file() {
    return new StreamableFile(Buffer.from('a file'), { type: 'text/plain', disposition: 'attachment' })
  }

  @Sse('events')
  events() {
    return interval(50).pipe(
      startWith('first'),
      map((data) => ({ data: String(data) })),
      finalize(() => {
        disconnects++
      }),
    )
  }

  @Get('disconnects')
  disconnects() {
    return String(disconnects)
  }

  @Get('fail')
  fail() {
    throw new Error('secret')
  }

  @Get('teapot')
  teapot() {
    throw new HttpException('short and stout', 418)
  }
}
