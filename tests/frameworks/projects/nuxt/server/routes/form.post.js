export default defineEventHandler(async (event) => {
  const { name } = await readBody(event)
  setCookie(event, 'name', name)
  setCookie(event, 'theme', 'dark', { httpOnly: true })
  return sendRedirect(event, '/hello', 303)
})
