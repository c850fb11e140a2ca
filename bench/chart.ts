/**
 * The results as a picture.
 *
 * @module
 */
import { measures, SIZES } from "./measures.ts";
import { type Results, type Row, rows } from "./results.ts";

/** What is drawn: one panel for each quantity whose ratio is asked for. */
const PANELS: [measure: string, quantity: number][] = [
  ["flood", 0],
  ["kept", 0],
  ["pair", 0],
  ["trips", 0],
  ["trips", 1],
];

const WIDTH = 230;
const HEIGHT = 220;
const GAP = 20;
/** Where in a panel the bars are. */
const TOP = 40;
const BOTTOM = 180;
/** The ratio at the top. */
const HIGHEST = 1.6;

/** The ratios as bars, and the lines that they should not cross. */
export function chart(results: Results): string {
  const all = rows(results);
  const width = PANELS.length * (WIDTH + GAP) + GAP;
  const panels = PANELS.map(([key, index], i) => {
    const quantity = measures[key].quantities[index];
    const bars = all.filter((row) =>
      row.measure === key && row.quantity === quantity
    );
    const title = `${measures[key].title}, ${quantity.name}`;
    const limit = quantity.least ?? quantity.most!;
    return panel(GAP + i * (WIDTH + GAP), title, limit, bars);
  });
  return `\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT + 20}"
  font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
${panels.join("\n")}
<text x="${GAP}" y="${
    HEIGHT + 10
  }" fill="#555">As a ratio to the C program, by \
message size in bytes. The line is what is to be reached: more messages, less \
time.</text>
</svg>
`;
}

function panel(x: number, title: string, limit: number, bars: Row[]): string {
  const step = WIDTH / SIZES.length;
  const y = (ratio: number) =>
    BOTTOM - Math.min(ratio, HIGHEST) / HIGHEST * (BOTTOM - TOP);
  return [
    `<g transform="translate(${x})">`,
    `<text y="20" font-weight="bold" fill="#222">${title}</text>`,
    ...bars.map(({ size, ratio = 0, met }, i) => {
      const middle = (i + 0.5) * step;
      const text = (y: number, content: string) =>
        `<text x="${middle}" y="${y}" text-anchor="middle" fill="#222">${content}</text>`;
      return `<rect x="${i * step + 4}" y="${y(ratio)}" width="${
        step - 8
      }" height="${BOTTOM - y(ratio)}" fill="${
        met ? "#3b7dd8" : "#d8793b"
      }"/>` +
        text(y(ratio) - 4, ratio.toFixed(2)) +
        text(BOTTOM + 15, size.toLocaleString("en"));
    }),
    `<path d="M0 ${BOTTOM}H${WIDTH}" stroke="#222"/>`,
    `<path d="M0 ${y(limit)}H${WIDTH}" stroke="#222" stroke-dasharray="4 3"/>`,
    "</g>",
  ].join("\n");
}
