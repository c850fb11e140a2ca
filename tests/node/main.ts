/**
 * Runs test files as `deno test` does, one after another, each in a process of
 * its own:
 *
 *     main.js FILE…
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** How long a file may say nothing before it is given up, in milliseconds. */
const BOUND = 300_000;

/** What the process of a file says in the end. */
const COUNTS = /^(\d+) passed, (\d+) failed, (\d+) ignored$/m;

const [preload, program] = ["deno.js", "file.js"].map((name) =>
  fileURLToPath(new URL(name, import.meta.url))
);
const flag = "bun" in process.versions ? "--preload" : "--import";

let [passed, failed, ignored] = [0, 0, 0];
const start = performance.now();
for (const file of process.argv.slice(2)) {
  const child = spawn(process.execPath, [flag, preload, program, file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<string>((resolve) =>
    child.on("exit", (code, signal) => resolve(signal ?? `status ${code}`))
  );
  const bound = setTimeout(() => child.kill("SIGKILL"), BOUND);
  let output = "";
  for await (const chunk of child.stdout.setEncoding("utf8")) {
    process.stdout.write(chunk);
    output += chunk;
    bound.refresh();
  }
  const end = await ended;
  clearTimeout(bound);
  const [, ...counts] = COUNTS.exec(output)?.map(Number) ?? [0, 0, 0, 0];
  if (end !== "status 0" && counts[1] === 0) {
    console.log(`${file} ... FAILED (${end})`);
    counts[1] = 1;
  }
  passed += counts[0];
  failed += counts[1];
  ignored += counts[2];
}
const verdict = failed ? "FAILED" : "ok";
const seconds = Math.round((performance.now() - start) / 1000);
console.log(
  `\n${verdict} | ${passed} passed | ${failed} failed | ${ignored} ignored (${seconds}s)`,
);
process.exitCode = failed ? 1 : 0;
