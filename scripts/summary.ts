/**
 * What a run of `deno test` came to.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";

const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed.* \| (\d+) failed(?:.* \| (\d+) ignored)?/;

/**
 * One line with the numbers of the summary that `output` ends with. A run that
 * does not come to its summary is one failure.
 */
export function closingLine(output: string): string {
  const [, passed, failed, skipped = "0"] =
    stripVTControlCharacters(output).split("\n")
      .map((line) => line.match(SUMMARY))
      .findLast((match) => match !== null) ?? ["", "0", "1"];
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
