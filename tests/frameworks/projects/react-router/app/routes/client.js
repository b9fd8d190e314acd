export const loader = ({ request }) => Response.json({ url: request.url })
