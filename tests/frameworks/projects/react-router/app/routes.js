import { index, route } from '@react-router/dev/routes'

export default [
  index('routes/home.jsx'),
  route('form', 'routes/form.jsx'),
  route('hello', 'routes/hello.jsx'),
  route('fail', 'routes/fail.jsx'),
  route('old', 'routes/old.js'),
  route('upload', 'routes/upload.js'),
  route('events', 'routes/events.js'),
  route('disconnects', 'routes/disconnects.js'),
  route('client', 'routes/client.js'),
]
