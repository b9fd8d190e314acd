import { createFileRoute } from '@tanstack/react-router'

export const Route = createFileRoute('/fail')({
  loader: () => {
    throw new Error('wrong')
  },
  errorComponent: () => <p>It failed.</p>,
})
