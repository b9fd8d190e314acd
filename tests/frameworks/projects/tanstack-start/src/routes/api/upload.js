import { createFileRoute } from '@tanstack/react-router'

export const Route = createFileRoute('/api/upload')({
  server: {
    handlers: {
      POST: async ({ request }) => {
        const file = (await request.formData()).get('file')
        return Response.json({
          url: request.url,
          name: file.name,
          bytes: (await file.arrayBuffer()).byteLength,
        })
      },
    },
  },
})
