import { defineHandler } from 'nitro/h3'

export default defineHandler(
  () => new Response('<!doctype html><title>Nitro</title>', { headers: { 'content-type': 'text/html' } }),
)
