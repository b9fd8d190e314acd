export function ratioPlot() {
  return ''
}
