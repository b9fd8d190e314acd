import { createFileRoute, redirect } from '@tanstack/react-router'

export const Route = createFileRoute('/old')({
  beforeLoad: () => {
    throw redirect({ to: '/hello', statusCode: 308 })
  },
})
