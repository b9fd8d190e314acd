import { createFileRoute } from '@tanstack/react-router'

export const Route = createFileRoute('/api/form')({
  server: {
    handlers: {
      POST: async ({ request }) => {
        const form = await request.formData()
        const headers = new Headers({ location: '/hello', 'set-cookie': `name=${form.get('name')}; Path=/` })
        headers.append('set-cookie', 'theme=dark; Path=/; HttpOnly')
        return new Response(null, { status: 303, headers })
      },
    },
  },
})
