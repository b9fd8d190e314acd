export const render = (url) => `<p>rendered for ${encodeURI(url)}</p>`
