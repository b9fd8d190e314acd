export default defineEventHandler(async (event) => {
  const [file] = await readMultipartFormData(event)
  return { name: file.filename, bytes: file.data.length }
})
