export const loader = () => new Response(String(globalThis.disconnects ?? 0))
