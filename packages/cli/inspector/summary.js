// Text and styles for an exchange, which the list and the details share.

export function statusOf({ status, error, duration }) {
  if (status !== undefined) return error === undefined ? String(status) : `${status} cut`
  if (error !== undefined) return 'failed'
  return duration === undefined ? '…' : 'none'
}

export function toneOf({ status, error }) {
  if (error !== undefined || status >= 500) return 'bad'
  if (status >= 400) return 'warn'
  if (status >= 300) return 'moved'
  return status === undefined ? 'soft' : 'good'
}

export function sizeOf(bytes) {
  if (bytes < 1000) return String(bytes)
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} k`
  return `${(bytes / 1_000_000).toFixed(1)} M`
}
