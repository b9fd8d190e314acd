export const loader = () => new Response(String(globalThis.left ?? 0))
