export const GET = () => new Response(String(globalThis.left ?? 0))
