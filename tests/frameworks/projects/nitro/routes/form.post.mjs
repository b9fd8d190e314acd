import { defineHandler, redirect, setCookie } from 'nitro/h3'

export default defineHandler(async (event) => {
  const form = await event.req.formData()
  setCookie(event, 'name', form.get('name'))
  setCookie(event, 'theme', 'dark', { httpOnly: true })
  return redirect('/hello', 303)
})
