import { createFileRoute } from '@tanstack/react-router'
import { createServerFn } from '@tanstack/react-start'
import { getCookie } from '@tanstack/react-start/server'

const readName = createServerFn().handler(() => getCookie('name') ?? 'nobody')

export const Route = createFileRoute('/hello')({
  loader: () => readName(),
  component: function Page() {
    return <p>hello {Route.useLoaderData()}</p>
  },
})
