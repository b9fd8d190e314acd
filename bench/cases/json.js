const items = Array.from({ length: 18 }, (_, index) => ({
  id: 1000 + index,
  name: `item number ${index}`,
  count: 3,
}))

/** 1 KiB of JSON in, a little JSON out, as apps/hono.js and apps/express.js respond to it. */
export const jsonRequest = {
  method: 'POST',
  path: '/json',
  contentType: 'application/json',
  body: pad({ items }, 1024),
}

export const jsonExpected = { body: JSON.stringify({ count: items.length, first: items[0] }) }

function pad(value, length) {
  const missing = length - JSON.stringify({ ...value, note: '' }).length
  if (missing < 0) throw new Error(`The JSON is ${-missing} bytes too long.`)
  return JSON.stringify({ ...value, note: 'x'.repeat(missing) })
}
