/** One line of the plot: `x` is time in parts of the ideal, `y` the share of jobs that have their key. */
export interface Curve {
  name: string
  points: { x: number; y: number }[]
}

const [WIDTH, HEIGHT] = [720, 400]
const FRAME = { left: 60, top: 20, right: 20, bottom: 56 }
const LONGEST = 1.25
/** Dashes tell the lines apart without their colors. */
const STROKES = [
  'stroke="#0072b2"',
  'stroke="#d55e00" stroke-dasharray="8 3"',
  'stroke="#009e73" stroke-dasharray="2 3"',
]

/** An SVG of how the share of jobs that have their key grows, beside the ideal; readable on a light and a dark page. */
export function plot(curves: Curve[]): string {
  const across = (x: number) => FRAME.left + (x / LONGEST) * (WIDTH - FRAME.left - FRAME.right)
  const down = (y: number) => HEIGHT - FRAME.bottom - y * (HEIGHT - FRAME.top - FRAME.bottom)
  const point = ({ x, y }: { x: number; y: number }) => `${across(x).toFixed(1)},${down(y).toFixed(1)}`
  const text = ([x, y]: [x: number, y: number], words: string, anchor = 'middle') =>
    `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${words}</text>`

  const ticks = [0, 0.25, 0.5, 0.75, 1]
  const grid = [
    ...ticks.map((y) => `<path class="grid" d="M${point({ x: 0, y })}L${point({ x: LONGEST, y })}"/>`),
    ...ticks.map((y) => text([FRAME.left - 8, down(y) + 4], `${y * 100} %`, 'end')),
    ...[...ticks, 1.25].map((x) => text([across(x), down(0) + 18], String(x))),
    text([across(LONGEST / 2), HEIGHT - 14], 'time ÷ ideal time (jobs ÷ rate)'),
  ]
  const lines = curves.map(({ points }, index) => {
    const path = [{ x: 0, y: 0 }, ...thinned(points)].map(point).join(' ')
    return `<polyline fill="none" stroke-width="2" ${STROKES[index % STROKES.length]} points="${path}"/>`
  })
  const legend = curves.map(({ name }, index) => {
    const y = down(0.06 + 0.07 * (curves.length - 1 - index))
    const sample = `<path stroke-width="2" ${STROKES[index % STROKES.length]} d="M${across(0.6)},${y - 4}h32"/>`
    return sample + text([across(0.6) + 40, y], name, 'start')
  })
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    '<title>Share of jobs that have their key, over time</title>',
    '<style>text{fill:#57606a}.grid{stroke:#8c959f;stroke-opacity:.35}.ideal{stroke:#8c959f;stroke-dasharray:6 4}' +
      '@media(prefers-color-scheme:dark){text{fill:#9198a1}}</style>',
    ...grid,
    `<path class="ideal" d="M${point({ x: 0, y: 0 })}L${point({ x: 1, y: 1 })}"/>`,
    text([across(0.2), down(0.14)], 'ideal', 'start'),
    ...lines,
    ...legend,
    '</svg>',
  ].join('\n')}\n`
}

/** Some 200 points of many, the last one among them. */
function thinned<T>(points: T[]): T[] {
  const step = Math.ceil(points.length / 200)
  return points.filter((_, index) => index % step === 0 || index === points.length - 1)
}
