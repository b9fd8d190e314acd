import { expect, test } from 'vitest'
import { type FetchContext, toHandler } from './index.ts'
import { ask, listen } from './testing/front.ts'

// Imported without types: they include the DOM's, which contradict Node's.
const { createSchema, createYoga } = await import(String('graphql-yoga'))

test('GraphQL Yoga runs queries, and its resolvers have the context', async () => {
  const yoga = createYoga({
    schema: createSchema({
      typeDefs: 'type Query { hello(name: String!): String!, client: String, user: String }',
      resolvers: {
        Query: {
          hello: (_parent: unknown, { name }: { name: string }) => `Hello ${name}`,
          client: (_parent: unknown, _args: unknown, context: FetchContext) => context.remoteAddress,
          user: (_parent: unknown, _args: unknown, context: FetchContext) =>
            context.incoming.headers['x-user'],
        },
      },
    }),
    logging: false,
    maskedErrors: false,
  })
  const server = await listen(toHandler((request, context) => yoga.fetch(request, context)))
  const direct = await listen(toHandler(yoga.fetch))
  const query = {
    query: 'query ($name: String!) { hello(name: $name) client user }',
    variables: { name: 'x' },
  }
  const headers = { 'content-type': 'application/json', 'x-user': 'ann' }
  for (const each of [server, direct]) {
    const response = await ask(each, { target: '/graphql', headers, body: JSON.stringify(query) })
    expect(JSON.parse(response.text)).toEqual({
      data: { hello: 'Hello x', client: '192.0.2.7', user: 'ann' },
    })
  }
})
