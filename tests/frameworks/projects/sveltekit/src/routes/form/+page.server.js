import { fail, redirect } from '@sveltejs/kit'

export const actions = {
  async default({ request, cookies }) {
    const name = (await request.formData()).get('name')
    if (!name) return fail(400, { missing: true })
    cookies.set('name', name, { path: '/', secure: false })
    cookies.set('theme', 'dark', { path: '/', secure: false })
    redirect(303, '/hello')
  },
}
