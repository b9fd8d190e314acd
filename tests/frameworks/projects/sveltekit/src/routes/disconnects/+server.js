import { state } from '../../lib/state.js'

export const GET = () => new Response(String(state.disconnects))
