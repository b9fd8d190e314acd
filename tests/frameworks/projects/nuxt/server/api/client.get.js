export default defineEventHandler((event) => ({
  path: event.path,
  url: getRequestURL(event).href,
  ip: getRequestIP(event),
}))
