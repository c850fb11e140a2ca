/**
 * What a failed comparison shows.
 *
 * @module
 */
import { inspect, styleText } from "node:util";

/** How many lines, and elements of a list, are shown before it is cut. */
const LIMIT = 100;

/** The value as assertions print it. */
export function format(value: unknown): string {
  return inspect(value, {
    depth: Infinity,
    maxArrayLength: LIMIT,
    sorted: true,
  });
}

/** The value with a property or element a line, so that lines compare. */
function lines(value: unknown): string[] {
  if (typeof value === "string") return value.split("\n");
  return inspect(value, {
    breakLength: 1,
    compact: false,
    depth: Infinity,
    maxArrayLength: LIMIT,
    sorted: true,
  }).split("\n");
}

function shorten(list: string[]): string[] {
  if (list.length <= LIMIT) return list;
  return [...list.slice(0, LIMIT), `... ${list.length - LIMIT} more lines`];
}

/** Where two long lists differ, since only their beginnings are printed. */
function firstDifference(a: unknown, b: unknown): string[] {
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b)) return [];
  if (a instanceof DataView || b instanceof DataView) return [];
  const [left, right] = [a, b] as unknown as ArrayLike<unknown>[];
  let index = 0;
  while (index < left.length && Object.is(left[index], right[index])) index++;
  return [
    `First difference at index ${index} (${left.length} and ${right.length} elements):`,
    `    ${left[index]} and ${right[index]}`,
    "",
  ];
}

/** The lines of two values with what only one of them has marked. */
export function difference(actual: unknown, expected: unknown): string {
  const [left, right] = [lines(actual), lines(expected)];
  const shorter = Math.min(left.length, right.length);
  let start = 0;
  while (start < shorter && left[start] === right[start]) start++;
  let end = 0;
  while (
    end < shorter - start && left.at(-1 - end) === right.at(-1 - end)
  ) end++;
  const middle = (list: string[]) => list.slice(start, list.length - end);
  const indent = (sign: string, list: string[]) =>
    shorten(list).map((line) => `${sign}   ${line}`);
  return [
    "",
    "    [Diff] Actual / Expected",
    "",
    ...firstDifference(actual, expected),
    ...indent(" ", left.slice(0, start)),
    ...indent("-", middle(left)).map((line) => styleText("red", line)),
    ...indent("+", middle(right)).map((line) => styleText("green", line)),
    ...indent(" ", left.slice(left.length - end)),
    "",
  ].join("\n");
}
