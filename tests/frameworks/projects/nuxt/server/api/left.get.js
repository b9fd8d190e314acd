export default defineEventHandler(() => String(globalThis.left ?? 0))
