export const meta = () => [{ title: 'React Router' }]

export default function Home() {
  return <h1>React Router</h1>
}
