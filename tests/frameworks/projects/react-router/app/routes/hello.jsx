import { Suspense } from 'react'
import { Await } from 'react-router'

export function loader({ request }) {
  const later = new Promise((resolve) => setTimeout(resolve, 100, 'streamed'))
  return { cookie: request.headers.get('cookie'), later }
}

export default function Page({ loaderData: { cookie, later } }) {
  return (
    <main>
      <p>hello {cookie}</p>
      <Suspense fallback={<p>wait</p>}>
        <Await resolve={later}>{(text) => <p>{text}</p>}</Await>
      </Suspense>
    </main>
  )
}
