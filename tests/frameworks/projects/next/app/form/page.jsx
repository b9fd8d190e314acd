import { cookies } from 'next/headers'
import { redirect } from 'next/navigation'

async function sendName(form) {
  'use server'
  const all = await cookies()
  all.set('name', form.get('name'))
  all.set('theme', 'dark', { httpOnly: true })
  redirect('/hello')
}

export default function Page() {
  return (
    <form action={sendName}>
      <input name="name" />
      <button type="submit">Send</button>
    </form>
  )
}
