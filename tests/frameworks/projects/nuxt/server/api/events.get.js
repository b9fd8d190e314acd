export default defineEventHandler((event) => {
  const stream = createEventStream(event)
  stream.push('first')
  const timer = setInterval(() => stream.push('next'), 50)
  stream.onClosed(() => {
    clearInterval(timer)
    globalThis.disconnects = (globalThis.disconnects ?? 0) + 1
  })
  return stream.send()
})
