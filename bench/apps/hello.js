/** What the bare servers answer: 13 bytes. */
export const TEXT = 'Hello, world!'

/** Name, value, name, value …, as both core and `node:http` take them. */
export const HEADERS = ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(TEXT.length)]
