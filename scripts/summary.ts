/**
 * What a run of `deno test` came to.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";

const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed.* \| (\d+) failed(?:.* \| (\d+) ignored)?/;

/** How many tests did what. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * The numbers of the summaries that outputs end with. A run that does not come
 * to its summary is one failure.
 */
export function count(...outputs: string[]): Counts {
  let [passed, failed, skipped] = [0, 0, 0];
  for (const output of outputs) {
    const counts = stripVTControlCharacters(output).split("\n")
      .map((line) => line.match(SUMMARY))
      .findLast((match) => match !== null) ?? ["", "0", "1"];
    passed += Number(counts[1]);
    failed += Number(counts[2]);
    skipped += Number(counts[3] ?? 0);
  }
  return { passed, failed, skipped };
}

/** What a run of tests ends with: again what failed, if any, and one line. */
export function closing(failed: string[], ...outputs: string[]): string {
  const again = failed.length > 0 ? ["", "FAILURES", ...failed] : [];
  return [...again, "", closingLine(...outputs)].join("\n");
}

/** One line with the numbers of the summaries that outputs end with. */
export function closingLine(...outputs: string[]): string {
  const { passed, failed, skipped } = count(...outputs);
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** A line that says what became of a test. */
const OUTCOME =
  /^(?:ok|FAILED) \||^.* \.\.\. (?:ok|FAILED|ignored)\b|^\d+ passed, \d+ failed/;

/** The line behind which `deno test` says again what failed, and why. */
const ERRORS = " ERRORS ";

/** What tells most of why something ended early, in lines. */
const END = 20;

/**
 * The lines about each test that failed: that it did, and why. Where something
 * failed and no test says so, the last lines.
 */
export function failures(output: string): string[] {
  const lines = stripVTControlCharacters(output).split("\n").filter(Boolean);
  const errors = lines.lastIndexOf(ERRORS);
  if (errors >= 0) return lines.slice(errors + 1);
  let failing = false;
  const found = lines.filter((line) => {
    if (OUTCOME.test(line)) failing = line.includes(" ... FAILED");
    return failing;
  });
  return found.length > 0 || count(output).failed === 0
    ? found
    : lines.slice(-END);
}
