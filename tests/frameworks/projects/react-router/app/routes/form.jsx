import { Form, redirect } from 'react-router'

export async function action({ request }) {
  const form = await request.formData()
  const headers = new Headers({ 'set-cookie': `name=${form.get('name')}; Path=/` })
  headers.append('set-cookie', 'theme=dark; Path=/; HttpOnly')
  return redirect('/hello', { status: 303, headers })
}

export default function Page() {
  return (
    <Form method="post">
      <input name="name" />
    </Form>
  )
}
