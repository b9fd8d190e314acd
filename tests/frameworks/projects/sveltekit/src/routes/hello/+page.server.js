export const load = ({ cookies }) => ({ name: cookies.get('name'), later: later() })

async function later() {
  await new Promise((resolve) => setTimeout(resolve, 100))
  return 'streamed'
}
