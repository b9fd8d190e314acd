import { createServer } from 'node:http'
import { createSchema, createYoga } from 'graphql-yoga'

let disconnects = 0

const yoga = createYoga({
  logging: false,
  schema: createSchema({
    typeDefs: `
      type Query { hello(name: String!): String!, disconnects: Int!, fail: String }
      type Mutation { upload(file: File!): Int! }
      type Subscription { count: Int! }
      scalar File`,
    resolvers: {
      Query: {
        hello: (_parent, { name }) => `hello ${name}`,
        disconnects: () => disconnects,
        fail: () => {
          throw new Error('secret')
        },
      },
      Mutation: { upload: async (_parent, { file }) => (await file.arrayBuffer()).byteLength },
      Subscription: {
        count: {
          async *subscribe() {
            try {
              for (let count = 1; ; count++) {
                yield { count }
                await new Promise((resolve) => setTimeout(resolve, 50))
              }
            } finally {
              disconnects++
            }
          },
        },
      },
    },
  }),
})

createServer(yoga).listen(Number(process.env.PORT ?? 4000))
