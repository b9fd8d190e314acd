import { defineHandler } from 'nitro/h3'

export default defineHandler((event) => ({ url: event.req.url }))
