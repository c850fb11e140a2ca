/**
 * What is measured, and what it has to come to.
 *
 * @module
 */
import type { Flood, Program } from "./programs.ts";

/** Sizes of the messages, in bytes. */
export const SIZES = [64, 1_000, 10_000, 100_000, 1_000_000];

/** Floods for the measure of memory, and how many messages each has. */
export const MEMORY = { floods: 10, messages: 100_000 };

/** How much longer runs are before they count, for compilers to be done. */
export const WARM_UP = 3;

/** What a run comes down to. */
export interface Quantity {
  /** What it is, with its unit. */
  readonly name: string;
  /** What the ratio of ours to C's should be at least. */
  readonly least?: number;
  /** What it should be at most. */
  readonly most?: number;
  /** The only size of message for which that is asked. */
  readonly only?: number;
}

/** One kind of run. */
export interface Measure {
  readonly title: string;
  /** How long a run takes, in milliseconds. */
  readonly milliseconds: number;
  readonly quantities: readonly Quantity[];
  /** Whether the daemon is to be one that keeps its memory. */
  readonly keeping?: boolean;
  /** Runs a program; gives the quantities, and how late a timer was. */
  run(
    program: Program,
    size: number,
    milliseconds: number,
  ): Promise<{ values: number[]; late?: number }>;
}

const rate = "messages/s";
const cpu = "µs of processor";

const flood: Measure = {
  title: "Flood to oneself",
  milliseconds: 400,
  quantities: [
    { name: rate, least: 0.9 },
    { name: cpu, most: 2, only: 64 },
  ],
  run: async (program, ...args) => rateAndCpu(await program.flood(...args)),
};

const pair: Measure = {
  title: "One sender, one receiver",
  milliseconds: 400,
  quantities: [{ name: rate, least: 0.9 }, { name: cpu }],
  run: async (program, ...args) => rateAndCpu(await program.pair(...args)),
};

/** A measure with a daemon that keeps its memory. */
function withKeepingDaemon(measure: Measure): Measure {
  const title = `${measure.title}, the daemon keeps its memory`;
  return { ...measure, title, keeping: true };
}

/** All kinds of runs. */
export const measures: Record<string, Measure> = {
  flood,
  kept: {
    title: "Flood to oneself, messages kept",
    milliseconds: 300,
    quantities: [{ name: rate, least: 0.9 }, { name: cpu }],
    run: async (program, ...args) => rateAndCpu(await program.kept(...args)),
  },
  pair,
  trips: {
    title: "Round trip",
    milliseconds: 300,
    quantities: [
      { name: "p50, µs", most: 1.3 },
      { name: "p99, µs", most: 1.3 },
    ],
    run: async (program, ...args) => {
      const { p50, p99 } = await program.trips(...args);
      return { values: [p50, p99] };
    },
  },
  zeroCopy: {
    title: "Flood to oneself from a zero-copy buffer",
    milliseconds: 150,
    quantities: [{ name: rate }, { name: cpu }],
    run: async (program, ...args) =>
      rateAndCpu(await program.zeroCopy(...args)),
  },
  keepingFlood: withKeepingDaemon(flood),
  keepingPair: withKeepingDaemon(pair),
};

function rateAndCpu({ messages, seconds, cpu, late }: Flood) {
  return { values: [messages / seconds, cpu / messages * 1e6], late };
}
