// Data in memory: writes last as long as the server.
module.exports = () => ({
  posts: [
    { id: 1, title: 'first', views: 100 },
    { id: 2, title: 'second', views: 50 },
  ],
  profile: { name: 'a' },
})
