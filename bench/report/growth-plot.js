export function growthPlot() {
  return ''
}
