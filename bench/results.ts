/**
 * What the runs come to.
 *
 * @module
 */
import { measures, type Quantity, SIZES } from "./measures.ts";

/** The programs: this library's, the one in C, and ours on Node. */
export type Name = "ours" | "c" | "node";

/** One run of a program. */
export interface Run {
  /** The measure's key. */
  readonly measure: string;
  /** Of the messages, in bytes. */
  readonly size: number;
  readonly program: Name;
  readonly round: number;
  /** The measure's quantities. */
  readonly values: readonly number[];
  /** By how much a timer was late at worst, in milliseconds. */
  readonly late?: number;
}

/** All that was found out. */
export interface Results {
  readonly circumstances: Record<string, string | number>;
  readonly runs: readonly Run[];
  /** Resident memory after each so many messages, in bytes. */
  readonly memory: Partial<Record<Name, readonly number[]>>;
}

/** A quantity for one size of message, as medians over the rounds. */
export interface Row {
  readonly measure: string;
  readonly quantity: Quantity;
  readonly size: number;
  readonly ours: number;
  readonly c?: number;
  /** The median of the rounds' ratios, which is not the medians' ratio. */
  readonly ratio?: number;
  /** Whether it is what it should be; nothing where nothing is asked. */
  readonly met?: boolean;
}

/** How late a timer of 10 ms was while messages of one size flooded in. */
export interface Lateness {
  readonly measure: string;
  readonly size: number;
  readonly program: Name;
  /** The median of what was the worst in each run, in milliseconds. */
  readonly median: number;
  /** The worst of all, in milliseconds. */
  readonly worst: number;
}

/** How much memory may grow in the second half of a million messages. */
const FLAT = 1.1;

/** The number in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The medians of all quantities. */
export function rows({ runs }: Results): Row[] {
  return Object.entries(measures).flatMap(([measure, { quantities }]) =>
    quantities.flatMap((quantity, i) =>
      SIZES.map((size): Row => {
        const values = (name: Name) =>
          runs.filter(({ program, ...run }) =>
            run.measure === measure && run.size === size && program === name
          ).map(({ values }) => values[i]);
        const [ours, c] = [values("ours"), values("c")];
        const row = { measure, quantity, size, ours: median(ours) };
        if (c.length === 0) return row;
        const ratio = median(ours.map((value, round) => value / c[round]));
        return {
          ...row,
          c: median(c),
          ratio,
          met: meets(quantity, size, ratio),
        };
      })
    )
  );
}

function meets(
  { least, most, only }: Quantity,
  size: number,
  ratio: number,
): boolean | undefined {
  if (only !== undefined && size !== only) return undefined;
  if (least !== undefined) return ratio >= least;
  return most === undefined ? undefined : ratio <= most;
}

/** How late timers were. */
export function lateness({ runs }: Results): Lateness[] {
  const groups = Map.groupBy(
    runs.filter(({ late }) => late !== undefined),
    ({ measure, size, program }) => `${measure} ${size} ${program}`,
  );
  return Array.from(groups.values(), (group) => {
    const [{ measure, size, program }] = group;
    const lates = group.map(({ late }) => late!);
    const worst = Math.max(...lates);
    return { measure, size, program, median: median(lates), worst };
  });
}

/** By how much memory grows from the first half of the messages to the second. */
export function growth(residents: readonly number[]): number {
  const half = residents.length >> 1;
  return Math.max(...residents.slice(half)) /
    Math.max(...residents.slice(0, half));
}

/** Whether that is as good as nothing. */
export function isFlat(residents: readonly number[]): boolean {
  return growth(residents) <= FLAT;
}
