import { createFileRoute, redirect } from '@tanstack/react-router'
import { createServerFn } from '@tanstack/react-start'
import { setCookie } from '@tanstack/react-start/server'

const saveName = createServerFn({ method: 'POST' })
  .validator((form) => form.get('name'))
  .handler(({ data }) => {
    setCookie('name', data)
    throw redirect({ to: '/hello', statusCode: 303 })
  })

export const Route = createFileRoute('/action')({
  component: () => (
    <form action={saveName.url} method="POST" encType="multipart/form-data">
      <input name="name" />
    </form>
  ),
})
