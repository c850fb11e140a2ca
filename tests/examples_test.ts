import { assertEquals, assertMatch } from "@std/assert";
import { run } from "./support.ts";

const example = (file: string) =>
  new URL(`../examples/${file}`, import.meta.url).pathname;

Deno.test("the demo says that every byte arrived", async () => {
  const outcome = await run(Deno.execPath(), [
    "run",
    "--allow-all",
    example("demo/main.ts"),
    `demo-${Deno.pid}`,
  ]);
  assertEquals(outcome.stderr, "");
  assertEquals(outcome.code, 0);
  assertMatch(outcome.stdout, /\[receiver\] message of 1,000,000 bytes from/);
  assertMatch(outcome.stdout, /Every byte arrived/);
});

Deno.test("a buffer is filled by text, bytes, views and files", async () => {
  const outcome = await run(Deno.execPath(), [
    "run",
    "--quiet",
    "--no-prompt",
    "--allow-ffi",
    "--allow-read",
    "--allow-env=CPG_LIBRARY",
    example("fill_buffer.ts"),
  ]);
  const { size } = await Deno.stat(new URL("../LICENSE", import.meta.url));
  const license = await Deno.readFile(new URL("../LICENSE", import.meta.url));
  assertEquals(outcome, {
    code: 0,
    signal: null,
    stdout: "text: 9 bytes, first 226,130,172,32\n" +
      "bytes: 4 bytes, first 1,2,3,4\n" +
      "numbers: 12 bytes, first 222,173,190,239\n" +
      `file: ${size} bytes, first ${license.slice(0, 4)}\n`,
    stderr: "",
  });
});
