export const dynamic = 'force-dynamic'

export const GET = (request) => Response.json({ url: request.url, host: request.headers.get('host') })
