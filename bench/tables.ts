/**
 * The results as tables in Markdown, and as data.
 *
 * @module
 */
import { measures } from "./measures.ts";
import {
  growth,
  isFlat,
  lateness,
  type Results,
  type Row,
  rows,
} from "./results.ts";

/** The results without the single runs. */
export function summary(results: Results): unknown {
  return {
    circumstances: results.circumstances,
    rows: rows(results).map(({ quantity, ...row }) => ({
      ...row,
      quantity: quantity.name,
    })),
    lateness: lateness(results),
    memory: results.memory,
  };
}

/** Between these lines a document has the results. */
const MARKS = ["<!-- results -->\n", "<!-- end of results -->\n"];

/** A document with new results, if it has a place for them. */
export function replaceResults(
  document: string,
  results: string,
): string | undefined {
  const [start, end] = MARKS.map((mark) => document.indexOf(mark));
  if (start < 0 || end < start) return undefined;
  return `${document.slice(0, start)}${MARKS[0]}\n${results}\n\n${
    document.slice(end)
  }`;
}

/** The results for people. */
export function tables(results: Results): string {
  const all = rows(results);
  const missed = all.filter(({ met }) => met === false).length;
  const asked = all.filter(({ met }) => met !== undefined).length;
  return [
    ...Object.entries(results.circumstances).map(([key, value]) =>
      `- ${key}: ${value}`
    ),
    "",
    ...Object.entries(measures).flatMap(([key, { title, quantities }]) => [
      `### ${title}`,
      "",
      ...table(
        [
          "bytes",
          ...quantities.flatMap(({ name }) => [
            `${name}, C`,
            "ours",
            "ratio",
          ]),
        ],
        Object.values(
          Object.groupBy(
            all.filter(({ measure }) => measure === key),
            ({ size }) => size,
          ) as Record<number, Row[]>,
        ).map((cells) => [
          number(cells[0].size),
          ...cells.flatMap(({ c, ours, ratio, met }) => [
            c === undefined ? "" : number(c),
            number(ours),
            ratio === undefined ? "" : ratio.toFixed(2) + mark(met),
          ]),
        ]),
      ),
      "",
    ]),
    "### A timer of 10 ms",
    "",
    ...table(
      ["", "bytes", "late, C", "worst", "late, ours", "worst"],
      late(results),
    ),
    "",
    "### Memory",
    "",
    ...Object.entries(results.memory).filter(([name]) =>
      name === "c" || name === "ours"
    ).map(([name, residents]) =>
      `- ${name}: ${
        residents.map((bytes) => (bytes / 1e6).toFixed(0)).join(", ")
      } MB; growth ${growth(residents).toFixed(2)}${mark(isFlat(residents))}`
    ),
    "",
    `${asked - missed} of ${asked} ratios are what they should be.`,
  ].join("\n");
}

function late(results: Results): string[][] {
  const groups = Map.groupBy(
    lateness(results),
    ({ measure, size }) => `${measure} ${size}`,
  );
  return Array.from(groups.values(), (group) => {
    const [c, ours] = ["c", "ours"].map((name) =>
      group.find(({ program }) => program === name)
    );
    return [
      measures[group[0].measure].title,
      number(group[0].size),
      ...[c, ours].flatMap((one) =>
        one ? [one.median.toFixed(1), one.worst.toFixed(1)] : ["", ""]
      ),
    ];
  });
}

/** A cross at what is not what it should be. */
function mark(met: boolean | undefined): string {
  return met === undefined ? "" : met ? " ✓" : " ✗";
}

function number(value: number): string {
  const digits = value < 100 ? 1 : 0;
  return value.toLocaleString("en", {
    maximumFractionDigits: Number.isInteger(value) ? 0 : digits,
  });
}

function table(head: string[], body: string[][]): string[] {
  return [head, head.map(() => "---:"), ...body]
    .map((cells) => `| ${cells.join(" | ")} |`);
}
