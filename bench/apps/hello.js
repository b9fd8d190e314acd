/** The response body of the minimal servers: 13 bytes. */
export const TEXT = 'Hello, world!'

/** [name, value, name, value…], a form that both core and `node:http` accept. */
export const HEADERS = ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(TEXT.length)]
