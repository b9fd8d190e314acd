import { defineHandler, handleCacheHeaders } from 'nitro/h3'

export default defineHandler((event) => {
  const isFresh = handleCacheHeaders(event, {
    etag: '"v1"',
    modifiedTime: new Date('2026-01-01'),
    maxAge: 60,
  })
  return isFresh ? undefined : 'cached'
})
