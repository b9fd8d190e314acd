import { defineHandler } from 'nitro/h3'

export default defineHandler(async (event) => {
  const file = (await event.req.formData()).get('file')
  return { name: file.name, bytes: (await file.arrayBuffer()).byteLength }
})
