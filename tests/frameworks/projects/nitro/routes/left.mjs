import { defineHandler } from 'nitro/h3'

export default defineHandler(() => String(globalThis.left ?? 0))
