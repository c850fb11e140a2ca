/**
 * What a run of `deno test` came to.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";

const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed.* \| (\d+) failed(?:.* \| (\d+) ignored)?/;

/**
 * One line with the numbers of the summaries that outputs end with. A run that
 * does not come to its summary is one failure.
 */
export function closingLine(...outputs: string[]): string {
  let [passed, failed, skipped] = [0, 0, 0];
  for (const output of outputs) {
    const counts = stripVTControlCharacters(output).split("\n")
      .map((line) => line.match(SUMMARY))
      .findLast((match) => match !== null) ?? ["", "0", "1"];
    passed += Number(counts[1]);
    failed += Number(counts[2]);
    skipped += Number(counts[3] ?? 0);
  }
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
