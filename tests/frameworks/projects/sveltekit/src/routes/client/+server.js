import { json } from '@sveltejs/kit'

export const GET = ({ url, getClientAddress }) => json({ url: url.href, address: getClientAddress() })
