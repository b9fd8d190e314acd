export function loader() {
  throw new Error('secret')
}

export default function Page() {
  return <p>never</p>
}
