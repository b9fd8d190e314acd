import { cookies } from 'next/headers'
import { Suspense } from 'react'

async function Slow() {
  await new Promise((resolve) => setTimeout(resolve, 100))
  return <p>streamed</p>
}

export default async function Page() {
  const name = (await cookies()).get('name')?.value
  return (
    <main>
      <p>hello {name}</p>
      <Suspense fallback={<p>wait</p>}>
        <Slow />
      </Suspense>
    </main>
  )
}
