export default defineEventHandler(() => String(globalThis.disconnects ?? 0))
