import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'

const server = new ApolloServer({
  typeDefs: `
    type Query { hello(name: String!): String!, fail: String }
    type Mutation { add(text: String!): [String!]! }`,
  resolvers: {
    Query: {
      hello: (_parent, { name }) => `hello ${name}`,
      fail: () => {
        throw new Error('wrong')
      },
    },
    Mutation: { add: (_parent, { text }) => notes.concat(text) },
  },
})
const notes = ['first']

await startStandaloneServer(server, { listen: { port: Number(process.env.PORT ?? 4000) } })
